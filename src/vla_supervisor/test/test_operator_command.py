# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The operator's command, run as its user runs it."""

import json
import subprocess
import sys

from test_node import S, Scene, check_in, register, scene  # noqa: F401

from vla_supervisor.operator_command import GRANTED, NO_SUPERVISOR, REFUSED


def command(*words):
    done = subprocess.run(
        [sys.executable, '-m', 'vla_supervisor.operator_command', *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def as_json(*words):
    code, out = command(*words, '--json')
    return code, json.loads(out.splitlines()[-1])


def test_commands_walk_the_robot_through_its_modes_and_report_refusals(scene):  # noqa: F811
    s = scene()
    s.mode(S.READY)
    assert as_json('start')[1]['mode'] == 'RUNNING'
    code, answer = as_json('estop')
    assert (code, answer['mode'], answer['behaviour']) == (GRANTED, 'ESTOP', 'DAMP')
    code, out = command('resume')
    assert code == REFUSED
    assert 'resume refused: mode is ESTOP (next: reset)' in out
    assert 'gone estop_request: e-stop requested' in out
    assert command('status', '--any-mode')[0] == GRANTED

    challenge = register(s, 'pad', 0.5, 1.0).challenge
    check_in(s, 'pad', challenge)
    s.until(lambda m: any(c.name == 'endpoint_lost:pad' and c.present for c in m.causes))
    code, out = command('reset')
    assert code == REFUSED
    assert 'clears when: the endpoint checks in again' in out
    assert command('forget', '--endpoint', 'pad')[0] == GRANTED
    assert as_json('reset')[1]['mode'] == 'INACTIVE'


def test_without_a_supervisor_it_reports_that(ros):
    code, answer = as_json('estop', '--timeout', '0.3')
    assert code == NO_SUPERVISOR
    assert 'no supervisor answered in 0.3 s' in answer['message']
