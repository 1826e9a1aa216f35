# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The operator's command, run as its user runs it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from test_node import S, Scene, causes, check_in, register, scene  # noqa: F401

from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_supervisor.command import GRANTED, NO_SUPERVISOR, REFUSED

SCRIPT = ('sh', str(Path(__file__).parents[1] / 'scripts' / 'command'))
MIDDLEWARE = (sys.executable, '-m', 'vla_supervisor.operator_command')


def command(*words, program=SCRIPT):
    done = subprocess.run([*program, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def as_json(*words, program=SCRIPT):
    code, out = command(*words, '--json', program=program)
    return code, json.loads(out.splitlines()[-1])


class Pressed:
    """A command that runs until it is granted or ended."""

    def __init__(self, *words):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*SCRIPT, *words], stdout=pipe, stderr=pipe, text=True)
        assert 'is not found yet' in self.process.stderr.readline()

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def finish(self):
        out, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out, errors


def test_commands_walk_the_robot_through_its_modes_and_report_refusals(scene):  # noqa: F811
    s = scene()
    s.mode(S.READY)
    assert as_json('start')[1]['mode'] == 'RUNNING'
    code, answer = as_json('estop')
    assert (code, answer['mode'], answer['behaviour']) == (GRANTED, 'ESTOP', 'DAMP')
    assert [c['name'] for c in answer['causes']] == ['estop_request']
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


@pytest.mark.parametrize('program', [SCRIPT, MIDDLEWARE], ids=['local', 'middleware'])
def test_both_ways_of_a_stop_are_granted_and_answered_alike(scene, program):  # noqa: F811
    s = scene()
    s.running()
    code, answer = as_json('safe_stop', program=program)
    assert (code, answer['mode'], answer['success']) == (GRANTED, 'SAFE_STOP', True)
    assert set(answer) == {'success', 'message', 'mode', 'behaviour', 'armed', 'motion_epoch'} | {
        *('speed_scale', 'causes', 'nodes_active', 'nodes_missing')
    }
    assert command('estop', program=program)[0] == GRANTED
    assert 'mode ESTOP (it was already)' in command('estop', program=program)[1]


@pytest.mark.parametrize(
    ('step', 'mode'), [('estop', 'ESTOP'), ('safe_stop', 'INACTIVE')], ids=['estop', 'safe_stop']
)
def test_a_stop_without_a_supervisor_waits_for_it_and_the_robot_does_not_arm(scene, step, mode):  # noqa: F811
    pressed = Pressed(step)
    s = scene()
    code, out, errors = pressed.finish()
    assert code == GRANTED
    assert f'mode {mode}' in out
    assert all('trying for' in line for line in errors.splitlines())
    s.until(lambda m: len(m.nodes_active) == 5)
    s.stays(getattr(S, mode))


def test_an_interrupted_stop_leaves_nothing_behind_that_stops_the_next_robot(ros):
    pressed = Pressed('estop')
    wait_until(lambda: pressed.children())
    over_the_middleware = pressed.children()
    pressed.process.send_signal(signal.SIGINT)
    code, out, errors = pressed.finish()
    assert (code, out) == (130, '')
    assert errors.splitlines()[-1] == 'estop: interrupted; not granted'
    assert psutil.wait_procs(over_the_middleware, timeout=20)[1] == []


def test_without_a_supervisor_a_stop_with_a_timeout_reports_that(ros):
    code, answer = as_json('estop', '--timeout', '0.3')
    assert code == NO_SUPERVISOR
    assert answer == {'success': False, 'message': 'no supervisor answered in 0.3 s'}


@pytest.mark.parametrize('value', ['nan', 'inf', '-1', '0', '1s'])
@pytest.mark.parametrize('step', ['estop', 'status'])
def test_a_timeout_that_is_no_time_is_refused_in_one_line(step, value):
    done = subprocess.run(
        [*SCRIPT, step, '--timeout', value], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == (
        f'ros2 run vla_supervisor command: error: argument --timeout: found {value}, '
        'wanted a number of seconds above 0\n'
    )
    if (step, value) == ('estop', 'nan'):
        documented('Commands', 'a stop with a timeout that is none', done.stderr.strip())
