# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes that end together: a respawned robot never moves by itself, whatever ended it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest
from whole_robot import BRING_UP, WholeRobot

from vla_common.states import Mode
from vla_validation.system_harness.robot import NODES

ARGUMENTS = {
    'policy': 'scripted',
    'instruction': 'wave with the left hand',
    'time_limit': 120.0,
    'respawn': 'true',
    'auto_arm': 'true',
}


def signal_all_nodes(robot: WholeRobot, number: signal.Signals) -> None:
    """As a terminal's Ctrl-C does where the launch ignores it: the nodes, not the launch."""
    pids = [robot.pid(node) for node in NODES]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.fixture
def running(tmp_path):
    """A robot that armed itself and carries out its startup instruction."""
    with WholeRobot(tmp_path, **ARGUMENTS) as robot:
        robot.wait_mode(Mode.RUNNING, BRING_UP)
        yield robot


def test_killed_with_all_its_nodes_it_comes_back_and_waits_for_the_operator(running):
    signal_all_nodes(running, signal.SIGKILL)
    refused = 'auto_arm does not apply'
    running.wait(lambda: refused in running.output(), BRING_UP, 'a new supervisor')
    running.state = None  # of the old one
    running.wait(lambda: running.whole, BRING_UP, 'all nodes active again')
    running.assert_no_motion_resumes()
    # On the floor after the fall of the simulated robot, or standing: in no mode that moves.
    assert running.mode in (Mode.INACTIVE, Mode.ESTOP), running.describe()
    assert running.state.motion_epoch >= 1, 'the startup instruction would begin'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_nodes_that_the_operator_ended_stay_ended_and_the_launch_with_them(running, number):
    signal_all_nodes(running, number)
    assert running.poll_until(lambda: running.process.poll() is not None, 60.0), running.tail()
    printed = running.output()
    assert printed.count('process started with pid') == len(NODES)
    assert printed.count('it is not started again') == len(NODES)
    assert 'at rest after' in printed
