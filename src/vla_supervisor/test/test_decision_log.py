# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The log of the decisions: replayed exactly, from any keyframe; a changed limit is found."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import CONFIG, FINE, MOVING, STANDING, TRACKING
from test_core_properties import conditions

from vla_common.states import Mode
from vla_supervisor.conditions import hard, soft
from vla_supervisor.core import Supervisor
from vla_supervisor.decision import OperatorStep
from vla_supervisor.decision_log import DecisionLog, DecisionReplay


def replayed(messages, config=CONFIG):
    replay = DecisionReplay(config)
    return [made for text in messages for made in replay.feed(text)], replay


inputs = st.builds(
    lambda found, driver, **facts: replace(FINE, conditions=tuple(found), driver=driver, **facts),
    st.lists(conditions, max_size=2),
    st.sampled_from([STANDING, MOVING, TRACKING, None, replace(MOVING, max_joint_speed=math.nan)]),
    nodes_active=st.booleans(),
    policy_ready=st.booleans(),
    instruction_ended=st.booleans(),
    slow_down=st.booleans(),
    steps=st.frozensets(st.sampled_from(OperatorStep), max_size=1),
)
entries = st.tuples(
    st.sampled_from([0.02, 0.02, 1.0, 3.0, -1.0, math.nan]),
    st.just(FINE) | inputs,
    st.none() | st.sampled_from(OperatorStep) | st.sampled_from(['forbid', 'close', 'message']),
)


@given(st.lists(entries, max_size=40), st.integers(0, 5))
def test_any_session_is_replayed_and_any_keyframe_is_a_begin(sequence, first):
    config = replace(CONFIG, auto_arm=True)
    log = DecisionLog()
    core = Supervisor(config, log)
    log.take(core, enabled=True)
    now, messages, made = 0.0, [], []
    for step, found, action in sequence:
        given_now = now + step
        now = given_now if given_now > now else now
        if isinstance(action, OperatorStep):
            made.append(core.request(given_now, action, found)[0])
        else:
            made.append(core.update(given_now, found))
        if action == 'forbid':
            core.forbid_auto_arm()
        elif action == 'close':
            core.close()
        elif action == 'message':
            messages.append(log.take(core, enabled=True))
    if (text := log.take(core, enabled=True)) is not None:
        messages.append(text)
    found, replay = replayed(messages, config)
    assert (replay.skipped, replay.gaps, len(found)) == (0, 0, len(made))
    for one, decision in zip(found, made, strict=True):
        assert one.recorded == one.replayed
        assert one.replayed['mode'] == decision.mode.name
    late, replay = replayed(messages[first:], config)
    assert all(one.recorded == one.replayed for one in late)
    assert len(late) + replay.skipped == sum(
        not isinstance(entry, str)
        for text in messages[first:]
        for entry in json.loads(text)['entries']
    )


def stopped_session():
    """Running, a soft stop after which the joints do not come to rest: an e-stop."""
    log = DecisionLog()
    core = Supervisor(CONFIG, log)
    log.take(core, enabled=True)
    messages = []
    for i in range(500):
        now = 0.02 * i
        found = FINE
        if i >= 150:
            moving = replace(MOVING, max_joint_speed=1.0)
            found = replace(FINE, conditions=(soft('a', 's', '', ''),), driver=moving)
        if i == 50:
            core.request(now, OperatorStep.ARM, found)
        elif i == 100:
            core.request(now, OperatorStep.START, found)
        else:
            core.update(now, found)
        if i % 50 == 49:
            messages.append(log.take(core, enabled=True))
    assert core.mode is Mode.ESTOP
    return messages


def test_a_changed_limit_is_found_at_the_decision_where_it_first_matters():
    messages = stopped_session()
    found, _ = replayed(messages)
    assert all(one.recorded == one.replayed for one in found)
    limits = replace(CONFIG.safe_stop, rest_within=3.0)
    found, _ = replayed(messages, replace(CONFIG, safe_stop=limits))
    first = next(one for one in found if one.recorded != one.replayed)
    assert first.now == pytest.approx(3.0 + 3.0)
    assert (first.recorded['mode'], first.replayed['mode']) == ('SAFE_STOP', 'ESTOP')


def test_after_a_gap_the_replay_waits_for_a_keyframe():
    messages = stopped_session()
    found, replay = replayed(messages[:2] + messages[3:])
    assert replay.gaps == 1
    assert all(one.recorded == one.replayed for one in found)
    found, replay = replayed(messages[:4] + messages[5:])
    assert replay.gaps == 1
    assert replay.skipped == 250, 'a stop has no keyframe'


def test_without_a_recorder_nothing_is_kept_and_a_log_that_nobody_takes_ends():
    log = DecisionLog()
    core = Supervisor(CONFIG, log)
    core.update(0.0, FINE)
    assert log.take(core, enabled=False) is None
    core.update(0.1, FINE)
    assert log.take(core, enabled=True) is None
    for i in range(2500):
        core.update(0.2 + 0.02 * i, replace(FINE, conditions=(hard('x', 's', '', ''),)))
    assert log.take(core, enabled=True) is None


def test_a_log_of_another_version_is_refused():
    with pytest.raises(ValueError, match='version 2, wanted 1'):
        replayed([stopped_session()[0].replace('"version": 1', '"version": 2')])
