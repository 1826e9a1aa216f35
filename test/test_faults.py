# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the running robot does when a part of it dies or freezes.

Each test breaks one thing while the robot moves, and says in which mode and behaviour it has to
end; then the part is mended (a killed node is respawned by launch, a frozen one woken), which must
not set anything in motion, and an operator takes the robot back to READY. Times are not asserted
tightly here; `measure_stops` measures them.
"""

from __future__ import annotations

import signal

import pytest
from whole_robot import BRING_UP, STOP, WAVE, SharedRobot, WholeRobot, in_motion

from vla_common.states import Behaviour, Mode

SOFT = ('balance_monitor', 'camera', 'safety_filter', 'inference')
killed_or_frozen = pytest.mark.parametrize(
    'number', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'frozen']
)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    robot = SharedRobot(
        tmp_path_factory.mktemp('robot'),
        policy='scripted',
        instruction='none',
        time_limit=120.0,
        respawn='true',
    )
    yield robot
    robot.close()


def moving(robot: WholeRobot) -> None:
    robot.instruct(WAVE)
    in_motion(robot)


def mend(robot: WholeRobot, node: str, number: signal.Signals) -> None:
    if number == signal.SIGSTOP:
        robot.send(node, signal.SIGCONT)
    robot.wait_until_mended()


def back_from_estop(robot: WholeRobot) -> None:
    """In deliberate steps, none of which moves it: the simulation's reset, reset, arm."""
    robot.insist('/sim/reset')
    robot.insist('/supervisor/reset')
    robot.wait_mode(Mode.INACTIVE, STOP)
    robot.assert_never_moves_again_by_itself(1.0)
    assert robot.mode == Mode.INACTIVE, 'reset must not arm'
    robot.insist('/supervisor/arm')
    robot.wait_mode(Mode.READY, STOP)


def test_the_estop_service_damps_the_robot_and_latches(shared):
    with shared.ready() as robot:
        moving(robot)
        assert robot.ask_for('/supervisor/estop').success
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.wait_behaviour(Behaviour.DAMP, STOP)
        refused = robot.ask_for('/supervisor/start')
        assert not refused.success
        assert refused.message
        robot.wait_rest()
        robot.assert_never_moves_again_by_itself()
        assert robot.mode == Mode.ESTOP
        back_from_estop(robot)
        robot.assert_never_moves_again_by_itself()
        assert robot.mode == Mode.READY


@killed_or_frozen
@pytest.mark.parametrize('node', SOFT)
def test_without_a_thinking_node_the_robot_stops_standing_and_never_resumes(shared, node, number):
    with shared.ready() as robot:
        moving(robot)
        robot.send(node, number)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.wait_behaviour(Behaviour.STAND, STOP)
        assert any(node in name for name in robot.told), robot.told
        robot.wait(lambda: robot.driver.standing, 20.0, 'the standing pose')
        robot.wait_rest()
        if number == signal.SIGSTOP:
            refused = robot.ask_for('/supervisor/resume')
            assert not refused.success, 'resumed without ' + node
            assert node in refused.message
        robot.assert_becomes_still()
        mend(robot, node, number)
        robot.assert_never_moves_again_by_itself(1.0)
        assert robot.mode == Mode.SAFE_STOP
        robot.assert_standing()
        robot.insist('/supervisor/resume')
        robot.wait_mode(Mode.READY, STOP)


@killed_or_frozen
def test_a_lost_driver_is_an_emergency_stop(shared, number):
    with shared.ready() as robot:
        moving(robot)
        robot.send('hardware_driver', number)
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.assert_never_moves_again_by_itself(1.0)
        if number == signal.SIGSTOP:
            # It may not act on what it was doing when it froze: it hears ESTOP and damps.
            robot.driver = None
            robot.send('hardware_driver', signal.SIGCONT)
            robot.wait_behaviour(Behaviour.DAMP, STOP)
        assert robot.mode == Mode.ESTOP
        back_from_estop(robot)


@killed_or_frozen
def test_without_a_supervisor_the_driver_stands_by_itself(shared, number):
    with shared.ready() as robot:
        moving(robot)
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
        # Back again, it knows its nodes, and neither arms nor moves anything by itself.
        robot.wait(lambda: robot.whole, BRING_UP, 'a supervisor that knows its nodes')
        robot.assert_never_moves_again_by_itself()
        assert robot.mode != Mode.READY, 'armed by itself'
        robot.assert_standing()
