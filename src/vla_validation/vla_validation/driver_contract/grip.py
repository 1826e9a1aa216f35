# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Clause of the driver contract: grippers keep their grip in every stop, and open by command.

Raises `Broken` or `NotApplicableError`, or returns what it measured.
"""

from __future__ import annotations

import numpy as np

from vla_common.errors import ConfigError
from vla_common.states import Behaviour, Mode
from vla_hardware.drivers.base import DriverError, Gains
from vla_hardware.simulation import PERIOD
from vla_robot import Gripper
from vla_validation.driver_contract.rig import Broken, NotApplicableError, Rig, Servo, refusal

SAME = 0.05
"""Share of the stroke between an opening that is commanded, measured, and really there."""
STOPS = (('safe stop', Mode.SAFE_STOP, Behaviour.HOLD), ('e-stop', Mode.ESTOP, Behaviour.DAMP))


def gripper(rig: Rig) -> str:
    if not rig.robot.grippers:
        raise NotApplicableError('the robot has no gripper')
    with rig.driver() as driver:
        if not getattr(driver, 'can_grip', False):
            raise Broken('it has no `can_grip`, and the robot has a gripper: it is refused')
    for hand in rig.robot.grippers.values():
        with rig.servo() as servo:
            servo.start()
            _move(servo, hand, hand.closed + 0.5 * (hand.open - hand.closed))
            _limits(rig, servo, hand)
            for name, mode, behaviour in STOPS:
                _stop(servo, hand, name, mode, behaviour)
            servo.request(Mode.INACTIVE, Behaviour.HOLD)
            servo.run(0.2)
            servo.start()
            _move(servo, hand, hand.open)
    names = ', '.join(rig.robot.grippers)
    return f'{names}: kept in a safe stop and an e-stop, opened by command'


def _move(servo: Servo, hand: Gripper, opening: float) -> None:
    """By commands at half its speed. Raises Broken: it is not there afterwards."""
    motion, joints = servo.loop.motion, hand.joints
    target, goal = motion.position.copy(), hand.joint_positions(opening)
    step = 0.5 * hand.joint_speed(hand.speed) * PERIOD
    for _ in range(2 + int(np.ceil(np.abs(goal - target[joints]).max() / step.min()))):
        target[joints] += np.clip(goal - target[joints], -step, step)
        servo.command(target)
        servo.cycle()
    for _ in range(round(0.5 / PERIOD)):
        servo.command(target)
        servo.cycle()
    _check(servo, hand, opening, 'commanded')


def _check(servo: Servo, hand: Gripper, opening: float, when: str) -> None:
    found = hand.opening(servo.reading.position)
    if not abs(found - opening) <= SAME * (hand.open - hand.closed):
        raise Broken(
            f'{hand.name} is {found * 1e3:.1f} mm open, wanted {opening * 1e3:.1f} mm: {when}'
        )


def _limits(rig: Rig, servo: Servo, hand: Gripper) -> None:
    """The device's own limits contain those of the gripper; what is not finite is refused."""
    device = servo.driver.device_joints()
    inside = device.lower[hand.joints] <= hand.positions.min(axis=0) + 1e-9
    inside &= device.upper[hand.joints] >= hand.positions.max(axis=0) - 1e-9
    if not inside.all():
        raise Broken(f'{hand.name}: the device does not reach the openings of robot.yaml')
    position = servo.loop.motion.position.copy()
    position[hand.joints] = np.nan
    zeros = np.zeros(rig.robot.n)
    gains = Gains(rig.robot.servo.kp, rig.robot.servo.kv)
    write = servo.driver.driver.write
    if refusal(lambda: write(position, zeros, zeros, gains), DriverError, ConfigError) is None:
        raise Broken(f'a target of {hand.name} that is not finite is written')


def _stop(servo: Servo, hand: Gripper, name: str, mode: Mode, behaviour: Behaviour) -> None:
    """A stop leaves the gripper where it is, and stiff where robot.yaml keeps it."""
    before = hand.opening(servo.reading.position)
    servo.request(mode, behaviour)
    servo.publish_state()
    servo.run(0.5)
    _check(servo, hand, before if hand.estop != 'release' else hand.open, f'in the {name}')
    if mode is not Mode.ESTOP or hand.estop != 'hold':
        return
    # Stiff or not shows only where its reference is another one: a little further closed.
    reference = servo.loop.motion.position
    closer = before - 0.2 * (hand.open - hand.closed)
    reference[hand.joints] = hand.joint_positions(closer)
    servo.run(0.5)
    _check(servo, hand, closer, f'its servo is not stiff in the {name}: it would drop an object')
