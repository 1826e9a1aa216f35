# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the running robot does when a part of it dies, freezes or lies.

Each test launches the whole robot, waits until it moves, breaks one thing, and says in which mode
and behaviour it has to end. Times are not asserted tightly here; `measure_stops` measures them.
"""

from __future__ import annotations

import signal

import pytest
from whole_robot import in_motion, launched

from vla_common.modes import Behaviour, Mode

# A stop was seen after 0.1 to 0.2 s; a loaded machine gets far more than ten times that.
STOP = 10.0
SOFT = ('balance_monitor', 'camera', 'safety_filter', 'inference')


def launched_in_motion(tmp_path, **arguments):
    return launched(tmp_path, policy='scripted', time_limit=120.0, **arguments)


def test_the_estop_service_damps_the_robot_and_latches(tmp_path):
    with launched_in_motion(tmp_path) as robot:
        in_motion(robot)
        assert robot.call('/supervisor/estop').success
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.wait_behaviour(Behaviour.DAMP, STOP)
        refused = robot.call('/supervisor/start')
        assert not refused.success
        assert refused.message
        robot.wait_rest()
        robot.assert_never_moves_again_by_itself()
        assert robot.mode == Mode.ESTOP

        # Back in three deliberate steps, none of which moves it: reset, arm, start.
        robot.wait(lambda: robot.call('/sim/reset').success, 10.0, 'the simulation reset')
        robot.wait(lambda: robot.call('/supervisor/reset').success, 20.0, 'reset')
        robot.wait_mode(Mode.INACTIVE, STOP)
        robot.assert_never_moves_again_by_itself(1.0)
        assert robot.mode == Mode.INACTIVE, 'reset must not arm'
        robot.wait(lambda: robot.call('/supervisor/arm').success, 20.0, 'arm')
        robot.wait_mode(Mode.READY, 20.0)
        robot.assert_never_moves_again_by_itself()


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'frozen'])
@pytest.mark.parametrize('node', SOFT)
def test_without_a_thinking_node_the_robot_stops_standing(tmp_path, node, number):
    with launched_in_motion(tmp_path, respawn='false') as robot:
        in_motion(robot)
        robot.send(node, number)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.wait_behaviour(Behaviour.STAND, STOP)
        assert any(node in name for name in robot.causes), robot.causes
        robot.wait(lambda: robot.driver.last.standing, 20.0, 'the standing pose')
        robot.wait_rest()
        robot.assert_never_moves_again_by_itself(1.0)
        robot.assert_becomes_still()
        if node != 'balance_monitor':
            robot.assert_standing()
        assert not robot.call('/supervisor/resume').success, 'resumed without ' + node
        if number == signal.SIGSTOP:
            robot.send(node, signal.SIGCONT)
            robot.assert_never_moves_again_by_itself(1.0)
            assert robot.mode == Mode.SAFE_STOP


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'frozen'])
def test_a_lost_driver_is_an_emergency_stop(tmp_path, number):
    with launched_in_motion(tmp_path, respawn='false') as robot:
        in_motion(robot)
        robot.send('hardware_driver', number)
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.assert_never_moves_again_by_itself(1.0)
        if number == signal.SIGSTOP:
            robot.driver.clear()
            robot.send('hardware_driver', signal.SIGCONT)
            robot.driver.wait(1)
            # It may not act on what it was doing when it froze: it hears ESTOP and damps.
            robot.wait_behaviour(Behaviour.DAMP, STOP)
            assert robot.mode == Mode.ESTOP


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'frozen'])
def test_without_a_supervisor_the_driver_stands_by_itself(tmp_path, number):
    with launched_in_motion(tmp_path, respawn='false') as robot:
        in_motion(robot)
        robot.send('supervisor', number)
        robot.wait_behaviour(Behaviour.STAND, STOP)
        assert 'supervisor' in robot.driver.last.behaviour_reason
        robot.wait(lambda: robot.driver.last.standing, 20.0, 'the standing pose')
        robot.wait_rest()
        robot.assert_standing()
        robot.assert_becomes_still()


def test_a_respawned_node_never_resumes_the_motion(tmp_path):
    with launched_in_motion(tmp_path, respawn='true') as robot:
        in_motion(robot)
        robot.send('inference', signal.SIGKILL)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.wait(
            lambda: (
                'inference' in robot.supervisor.last.nodes_active
                and not any('inference' in name for name in robot.present_causes())
            ),
            60.0,
            'inference active again',
        )
        robot.assert_never_moves_again_by_itself()
        assert robot.mode == Mode.SAFE_STOP
        robot.wait(lambda: robot.call('/supervisor/resume').success, 20.0, 'resume')
        robot.wait_mode(Mode.READY, STOP)


def test_a_respawned_supervisor_does_not_arm_by_itself(tmp_path):
    with launched_in_motion(tmp_path, respawn='true') as robot:
        in_motion(robot)
        robot.send('supervisor', signal.SIGKILL)
        robot.wait_behaviour(Behaviour.STAND, STOP)
        robot.supervisor.clear()
        robot.wait(
            lambda: robot.mode is not None and len(robot.supervisor.last.nodes_active) == 5,
            60.0,
            'a new supervisor that knows its nodes',
        )
        robot.assert_never_moves_again_by_itself()
        assert robot.mode != Mode.READY, 'armed by itself'
        robot.assert_standing()
