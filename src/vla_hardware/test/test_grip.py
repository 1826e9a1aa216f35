# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Grippers under the servo loop: no stop opens one, and only a command does."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import LIMITS

from vla_common.clock import ManualClock
from vla_common.errors import ConfigError
from vla_common.states import Behaviour, Mode
from vla_common.testing_refusals import documented
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.servo_output import NoBalance
from vla_hardware.simulation import PERIOD, SimulatedServo
from vla_robot import load_robot
from vla_sim import Cube, Scene, World

PANDA = load_robot('panda')
FINGERS = PANDA.grippers['hand'].joints
ARM = PANDA.groups['arm']
WIDTH = 0.04


def with_estop(estop):
    return replace(PANDA, grippers={'hand': replace(PANDA.grippers['hand'], estop=estop)})


class Holding:
    """A panda that has gripped a cube in the air, in simulated time."""

    def __init__(self, robot=PANDA):
        rest = Scene()
        cube = Cube('cube', 'red', WIDTH, (0.5, 0.0, rest.table.height + WIDTH / 2))
        self.world = World(robot, Scene(cubes=(cube,)))
        self.world.reset('ready')
        self.servo = SimulatedServo.running(self.world, NoBalance(robot.n), LIMITS)
        self.q = robot.poses['ready'].copy()
        self.run(0.1)
        _, position = self.world.frame_pose('hand')
        self.world.set_cube_position('cube', position)
        target = 0.5 * WIDTH - 0.005  # 25 N
        while self.q[FINGERS[0]] > target:
            self.q[FINGERS] = np.maximum(self.q[FINGERS] - 0.00025, target)
            self.servo.command(self.q)
            self.servo.cycle()
            if self.q[FINGERS[0]] > 0.5 * WIDTH - 0.001:
                self.world.set_cube_position('cube', position)
        self.run(0.3)
        assert self.hand.holding

    @property
    def hand(self):
        return self.servo.loop.grippers()[0]

    def run(self, seconds, track=True):
        for k in range(round(seconds / PERIOD)):
            if track and k % 2 == 0:
                self.servo.command(self.q)
            self.servo.cycle()

    def stop(self, mode, behaviour, seconds=1.0):
        self.servo.request(mode, behaviour)
        self.servo.publish_state()
        self.run(seconds, track=False)

    def holds(self):
        _, position = self.world.frame_pose('hand')
        offset = self.world.cube_position('cube') - position
        return float(np.linalg.norm(offset)) < 0.02


def test_an_estop_damps_the_arm_and_keeps_the_grip():
    robot = Holding()
    before = robot.hand.force
    robot.stop(Mode.ESTOP, Behaviour.DAMP, 2.0)
    assert robot.servo.loop.motion.behaviour is Behaviour.DAMP
    assert np.abs(robot.servo.reading.position[ARM] - robot.q[ARM]).max() > 0.05, 'the arm sinks'
    assert robot.holds()
    assert robot.hand.kept
    assert robot.hand.force > 0.8 * before


def test_after_an_estop_the_arm_becomes_stiff_again_and_nothing_is_dropped():
    robot = Holding()
    robot.stop(Mode.ESTOP, Behaviour.DAMP)
    robot.stop(Mode.INACTIVE, Behaviour.HOLD)
    robot.stop(Mode.READY, Behaviour.HOLD)
    assert robot.holds()
    assert robot.hand.holding
    assert not robot.hand.kept


@pytest.mark.parametrize('behaviour', [Behaviour.HOLD, Behaviour.STAND])
def test_a_safe_stop_keeps_the_grip(behaviour):
    robot = Holding()
    robot.stop(Mode.SAFE_STOP, behaviour, 4.0)
    assert robot.holds()
    assert robot.hand.holding
    assert robot.servo.loop.behaviour_done


def test_the_silence_of_the_supervisor_keeps_the_grip():
    robot = Holding()
    robot.servo.supervised = False
    robot.run(1.0, track=False)
    assert robot.servo.loop.motion.behaviour is Behaviour.HOLD
    assert robot.holds()
    assert robot.hand.holding


def test_commands_that_end_keep_the_grip():
    robot = Holding()
    robot.run(1.0, track=False)
    assert robot.holds()
    assert robot.hand.holding


def test_a_command_releases():
    robot = Holding()
    for _ in range(200):
        robot.q[FINGERS] = np.minimum(robot.q[FINGERS] + 0.00025, 0.04)
        robot.run(2 * PERIOD)
    assert not robot.holds()
    assert not robot.hand.holding


def test_release_on_estop_opens_at_the_speed_limit():
    robot = Holding(with_estop('release'))
    robot.stop(Mode.ESTOP, Behaviour.DAMP, 0.1)
    assert robot.hand.opening < 0.055, 'not at once'
    robot.run(1.0, track=False)
    assert robot.hand.opening == pytest.approx(0.08, abs=2e-3)
    assert not robot.hand.kept


def test_passive_on_estop_lets_go():
    robot = Holding(with_estop('passive'))
    robot.stop(Mode.ESTOP, Behaviour.DAMP, 1.0)
    assert not robot.hand.holding
    assert abs(robot.hand.force) < 1.0


def test_a_fault_of_the_driver_keeps_the_grip():
    """Its readings end; the last reference of the gripper stays."""
    clock = ManualClock(100.0)
    driver = MockDriver(PANDA.poses['ready'], PANDA.limits.velocity, clock=clock)
    servo = SimulatedServo(PANDA, driver, NoBalance(PANDA.n), LIMITS, clock)
    for mode, behaviour in ((Mode.READY, Behaviour.HOLD), (Mode.RUNNING, Behaviour.TRACK)):
        servo.request(mode, behaviour)
        servo.publish_state()
    q = PANDA.poses['ready'].copy()
    for _ in range(200):
        q[FINGERS] = np.maximum(q[FINGERS] - 0.0002, 0.015)
        servo.command(q)
        servo.cycle()
    driver.read_fault = 'error'
    for _ in range(50):
        servo.cycle()
    assert servo.loop.fault
    assert driver.target[FINGERS] == pytest.approx([0.015, 0.015])
    assert (driver.gains.kp[FINGERS] == PANDA.servo.kp[FINGERS]).all()
    assert not driver.gains.kp[ARM].any()


def test_the_fingers_move_together_when_one_of_them_meets_something():
    world = World(PANDA, Scene(cubes=()))
    world.reset('ready')
    world.push(np.array([0.0, 30.0, 0.0]), 0.5, 'panda_leftfinger')
    position = PANDA.poses['ready'].copy()
    position[FINGERS] = 0.02
    world.command(position)
    world.step(400)
    first, second = world.joint_position[FINGERS]
    assert first == pytest.approx(second, abs=1e-3)


def test_a_gripper_on_a_driver_without_stiffness_for_each_joint_is_refused():
    class Whole(MockDriver):
        can_grip = False

    clock = ManualClock(100.0)
    driver = Whole(PANDA.poses['ready'], PANDA.limits.velocity, clock=clock)
    with pytest.raises(ConfigError) as caught:
        SimulatedServo(PANDA, driver, NoBalance(PANDA.n), LIMITS, clock)
    documented('Grippers', 'a driver that cannot keep a grip', caught.value, PANDA.directory)
