# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""No preflight, no motion, where one is required."""

import itertools
import math
from dataclasses import replace

import pytest
from scenes import CONFIG, FINE, WAY, supervisor_in

from vla_common.clock import steady_now
from vla_common.preflight_record import (
    CheckReport,
    CheckState,
    Moment,
    PreflightRecord,
    bundle_digest,
    robot_digest,
)
from vla_common.states import Mode
from vla_common.testing import wait_until
from vla_supervisor.core import OperatorStep, Supervisor
from vla_supervisor.preflight import STALE, Launched, Preflight, PreflightWatch, why_not

NOW = Moment(1_000_000.0, 5_000.0, 'a boot')


@pytest.fixture
def launched(tmp_path):
    (tmp_path / 'robot').mkdir()
    (tmp_path / 'robot' / 'robot.yaml').write_text('name: arm\n')
    (tmp_path / 'bundle').mkdir()
    (tmp_path / 'bundle' / 'policy.yaml').write_text('name: wave\n')
    return Launched(tmp_path / 'robot', str(tmp_path / 'bundle'), 'c0ffee')


def record_for(launched, state=CheckState.PASS, at=NOW, valid_for=3600.0):
    check = CheckReport('estop', state, 'damped', 'press it', valid_for, at)
    return PreflightRecord('arm', launched.digests(), (check,))


def refusal(tmp_path, launched, record=None, now=NOW):
    path = tmp_path / 'record.json'
    if record is not None:
        record.write(path)
    return why_not(path, launched.digests(), now)


def test_a_passed_record_of_what_runs_permits_motion(tmp_path, launched):
    assert refusal(tmp_path, launched, record_for(launched)) == ''


def test_a_missing_record_is_named_by_its_file(tmp_path, launched):
    assert 'record.json: No such file' in refusal(tmp_path, launched)


@pytest.mark.parametrize('state', [CheckState.FAIL, CheckState.CHECK])
def test_a_record_that_has_not_passed_names_the_check(tmp_path, launched, state):
    found = refusal(tmp_path, launched, record_for(launched, state))
    assert found == f'not passed: estop {state}'


def test_an_expired_record_permits_nothing(tmp_path, launched):
    later = Moment(NOW.wall + 3601.0, NOW.uptime + 3601.0, NOW.boot)
    found = refusal(tmp_path, launched, record_for(launched), later)
    assert found == 'estop: 1.0 h old, valid for 1.0 h'


def test_a_clock_that_is_set_back_prolongs_nothing(tmp_path, launched):
    same_boot = Moment(NOW.wall - 7200.0, NOW.uptime + 3601.0, NOW.boot)
    assert 'valid for' in refusal(tmp_path, launched, record_for(launched), same_boot)
    rebooted = Moment(NOW.wall - 7200.0, 10.0, 'another boot')
    assert 'set back' in refusal(tmp_path, launched, record_for(launched), rebooted)
    after_reboot = Moment(NOW.wall + 60.0, 10.0, 'another boot')
    assert refusal(tmp_path, launched, record_for(launched), after_reboot) == ''


def test_a_changed_robot_bundle_or_configuration_makes_it_worthless(tmp_path, launched):
    record = record_for(launched)
    assert 'another configuration' in refusal(
        tmp_path, replace(launched, configuration='other'), record
    )
    (launched.robot / 'robot.yaml').write_text('name: other\n')
    assert 'another robot' in refusal(tmp_path, launched, record)
    record = record_for(launched)
    (launched.robot.parent / 'bundle' / 'policy.yaml').write_text('name: other\n')
    assert 'another bundle' in refusal(tmp_path, launched, record)


@pytest.mark.parametrize('gone', ['robot', 'bundle', 'configuration'])
def test_what_has_no_digest_matches_no_record(tmp_path, launched, gone):
    lost = replace(launched, **{gone: tmp_path / 'nowhere' if gone == 'robot' else ''})
    if gone == 'robot':  # a folder that is not there has no files, and another digest
        assert 'another robot' in refusal(tmp_path, lost, record_for(launched))
    else:
        assert refusal(tmp_path, lost, record_for(lost)) == f'the {gone} that runs has no digest'


def test_a_record_edited_by_hand_is_refused(tmp_path, launched):
    path = tmp_path / 'record.json'
    record_for(launched, CheckState.FAIL).write(path)
    path.write_text(path.read_text().replace('FAIL', 'PASS').replace('false', 'true'))
    assert 'another content' in why_not(path, launched.digests(), NOW)


@pytest.mark.parametrize(
    'text', ['', '{', '[]', '{"sha256": 1}', '{"format": 1, "sha256": ""}', '\x00', '[' * 100_000]
)
def test_a_torn_file_is_refused(tmp_path, launched, text):
    path = tmp_path / 'record.json'
    path.write_text(text)
    assert why_not(path, launched.digests(), NOW).startswith(str(path))


def test_without_a_recent_answer_nothing_is_permitted():
    preflight = Preflight(required=True)
    assert preflight.why_not(0.0)
    preflight.update(10.0, '')
    assert preflight.why_not(10.0) == preflight.why_not(10.0 + STALE) == ''
    for now in (10.1 + STALE, 9.0, math.nan):
        assert 'does not answer' in preflight.why_not(now)
    assert Preflight(required=False).why_not(0.0) == ''


REFUSED = replace(FINE, conditions=tuple(Preflight(required=True).conditions(0.0)))


def test_arm_resume_and_start_are_refused_with_the_reason():
    for mode, step in (
        (Mode.INACTIVE, OperatorStep.ARM),
        (Mode.READY, OperatorStep.START),
        (Mode.SAFE_STOP, OperatorStep.RESUME),
    ):
        supervisor = supervisor_in(mode)
        decision, answer = supervisor.request(1.0, step, REFUSED)
        assert (decision.mode, answer.success) == (mode, False)
        assert 'preflight_required (the record was not read yet' in answer.message
        assert 'ros2 run vla_bringup preflight' in answer.message


def test_auto_arm_waits_for_the_preflight():
    supervisor = Supervisor(replace(CONFIG, auto_arm=True))
    assert supervisor.update(0.0, REFUSED).mode is Mode.INACTIVE
    assert supervisor.update(1.0, FINE).mode is Mode.READY


def test_a_stop_and_a_reset_need_no_preflight():
    for mode in WAY:
        supervisor = supervisor_in(mode)
        assert supervisor.request(1.0, OperatorStep.ESTOP, REFUSED)[1].success
        decision, answer = supervisor.request(2.0, OperatorStep.RESET, REFUSED)
        assert (decision.mode, answer.success) == (Mode.INACTIVE, True)


@pytest.mark.parametrize('mode', WAY)
def test_without_a_preflight_no_sequence_of_steps_leads_to_motion(mode):
    """All sequences of four steps, from every mode: RUNNING is never entered, READY never from
    below."""
    for steps in itertools.product(OperatorStep, repeat=4):
        supervisor = supervisor_in(mode)
        before = supervisor.mode
        for moment, step in enumerate(steps, 1):
            after = supervisor.request(float(moment), step, REFUSED)[0].mode
            assert after is before or after not in (Mode.READY, Mode.RUNNING), (mode, steps)
            before = after


def test_the_watch_follows_the_file(tmp_path, launched):
    path, preflight = tmp_path / 'record.json', Preflight(required=True)
    watch = PreflightWatch(preflight, launched, path, period=0.02)
    try:
        wait_until(lambda: 'No such file' in preflight.why_not(steady_now()))
        record_for(launched, at=Moment.now()).write(path)
        wait_until(lambda: not preflight.why_not(steady_now()))
        (launched.robot / 'robot.yaml').write_text('name: other\n')
        wait_until(lambda: 'another robot' in preflight.why_not(steady_now()))
    finally:
        watch.close()


def test_the_digest_of_a_bundle_is_that_of_its_policy_yaml_or_address(launched, tmp_path):
    before = bundle_digest(launched.bundle)
    (tmp_path / 'bundle' / 'README.md').write_text('words')
    assert bundle_digest(launched.bundle) == before
    assert bundle_digest('ws://a:1') != bundle_digest('ws://b:1')
    assert robot_digest(launched.robot) != robot_digest(tmp_path / 'bundle')
