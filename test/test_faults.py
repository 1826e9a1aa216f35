# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The running robot when a part of it dies or freezes.

Each test breaks one thing while the robot moves, and asserts in which mode and behaviour it ends;
then the part is repaired (a killed node is respawned by launch, a frozen one continued), which must
not set anything in motion, and an operator takes the robot back to READY. Times are measured by
`ros2 run vla_validation stops`.
"""

import signal

import pytest
from whole_robot import BRING_UP, STOP, SharedRobot, WholeRobot

from vla_common.states import Behaviour, Mode

SOFT = ('balance_monitor', 'camera', 'safety_filter', 'inference')
killed_or_frozen = pytest.mark.parametrize(
    'number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'frozen']
)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    robot = SharedRobot(tmp_path_factory.mktemp('robot'), respawn='true')
    yield robot
    robot.close()


def repair(robot: WholeRobot, node: str, number: signal.Signals) -> None:
    if number == signal.SIGSTOP:
        robot.send(node, signal.SIGCONT)
    robot.wait_until_repaired()


def back_from_estop(robot: WholeRobot) -> None:
    """In deliberate steps, none of which moves it: the simulation's reset, reset, arm."""
    robot.call_until_granted('/sim/reset')
    robot.call_until_granted('/supervisor/reset')
    robot.wait_mode(Mode.INACTIVE, STOP)
    robot.assert_no_motion_resumes(1.0)
    assert robot.mode == Mode.INACTIVE, 'reset must not arm'
    robot.call_until_granted('/supervisor/arm')
    robot.wait_mode(Mode.READY, STOP)


def test_the_estop_service_damps_the_robot_and_latches(shared):
    with shared.ready() as robot:
        robot.start_motion()
        assert robot.answer('/supervisor/estop').success
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.wait_behaviour(Behaviour.DAMP, STOP)
        refused = robot.answer('/supervisor/start')
        assert not refused.success
        assert refused.message
        robot.wait_rest()
        robot.assert_no_motion_resumes()
        assert robot.mode == Mode.ESTOP
        back_from_estop(robot)
        robot.assert_no_motion_resumes()
        assert robot.mode == Mode.READY


@killed_or_frozen
@pytest.mark.parametrize('node', SOFT)
def test_without_a_thinking_node_the_robot_stops_standing_and_never_resumes(shared, node, number):
    with shared.ready() as robot:
        robot.start_motion()
        robot.send(node, number)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.wait_behaviour(Behaviour.STAND, STOP)
        assert any(node in name for name in robot.all_causes), robot.all_causes
        robot.wait(lambda: robot.driver.standing, 20.0, 'the standing pose')
        robot.wait_rest()
        if number == signal.SIGSTOP:
            refused = robot.answer('/supervisor/resume')
            assert not refused.success, 'resumed without ' + node
            assert node in refused.message
        with robot.no_motion_resumes():
            repair(robot, node, number)
            robot.assert_becomes_still()
        assert robot.mode == Mode.SAFE_STOP
        robot.assert_standing()
        robot.call_until_granted('/supervisor/resume')
        robot.wait_mode(Mode.READY, STOP)


@killed_or_frozen
def test_a_lost_driver_is_an_emergency_stop(shared, number):
    with shared.ready() as robot:
        robot.start_motion()
        robot.send('hardware_driver', number)
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.assert_no_motion_resumes(1.0)
        if number == signal.SIGSTOP:
            # It may not act on what it was doing when it froze: it receives ESTOP and damps.
            robot.driver = None
            robot.send('hardware_driver', signal.SIGCONT)
            robot.wait_behaviour(Behaviour.DAMP, STOP)
        assert robot.mode == Mode.ESTOP
        back_from_estop(robot)


@killed_or_frozen
def test_without_a_supervisor_the_driver_stands_by_itself(shared, number):
    with shared.ready() as robot:
        robot.start_motion()
        robot.send('supervisor', number)
        robot.wait_behaviour(Behaviour.STAND, STOP)
        assert 'supervisor' in robot.driver.behaviour_reason
        robot.wait(lambda: robot.driver.standing, 20.0, 'the standing pose')
        robot.wait_rest()
        robot.assert_standing()
        robot.assert_becomes_still()
        robot.state = None
        if number == signal.SIGSTOP:
            robot.send('supervisor', signal.SIGCONT)
        # Back again, it finds its nodes active, and neither arms nor moves anything by itself.
        robot.wait(lambda: robot.whole, BRING_UP, 'a supervisor with all its nodes')
        robot.assert_no_motion_resumes()
        assert robot.mode != Mode.READY, 'armed by itself'
        robot.assert_standing()
