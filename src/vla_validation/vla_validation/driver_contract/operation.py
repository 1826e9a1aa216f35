# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Clauses of the driver contract: connecting, reading, writing, activation.

Each raises `Broken`, or returns what it measured.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from vla_common.errors import ConfigError
from vla_hardware.device_check import DEGREES, check_device
from vla_hardware.drivers.base import DriverError
from vla_robot import Reading, RobotModel
from vla_validation.driver_contract.rig import CLOSE, Broken, Rig, Servo, refusal, within

CONNECT = 5.0  # s in which a driver connects, or says that it cannot
EXCHANGE = 2.0  # ms, median of a read and of a write
ERRORS = 0.02  # share of cycles: a busy computer keeps a thread from running now and then
SAME = 0.05  # rad between what was read, what is, and what was commanded
STILL = 0.03  # rad that a robot at rest may move
FIRST = 0.02  # rad between the measured and the first commanded position
SETTLING = 20  # tenths of a second in which the driver before has been heard to its end
RISEN = 0.1  # s after `stiffen_time`, in which the stiffness has risen to its whole


def connect(rig: Rig) -> str:
    took = []
    for _ in range(2):
        begin = rig.clock.now
        with rig.driver() as driver:
            driver.connect()
            driver.read()
            took.append(rig.clock.now - begin)
            begin = rig.clock.now
            driver.close()
            driver.close()
            within(rig.clock.now - begin, CLOSE, 'close')
    within(max(took), CONNECT, 'connect')
    if rig.double.has_wire:
        rig.double.pull_cable()
        try:
            begin = rig.clock.now
            if refusal(lambda: _connect(rig), DriverError, ConfigError) is None:
                raise Broken('it connects to a robot whose cable is pulled')
            within(rig.clock.now - begin, CONNECT, 'connect without a robot')
        finally:
            rig.double.plug_cable()
    return f'{max(took) * 1e3:.0f} ms'


def _connect(rig: Rig) -> None:
    with rig.driver() as driver:
        driver.connect()
        driver.read()


def joints(rig: Rig) -> str:
    with rig.driver() as driver:
        driver.connect()
        reading = driver.read()
        if not hasattr(driver, 'device_joints') or driver.device_joints() is None:
            raise Broken('device_joints() reports nothing: joint order and limits are not compared')
        device = driver.device_joints()
    error = refusal(lambda: check_device(rig.robot, device, reading), ConfigError)
    if error is not None:
        raise Broken(str(error))
    order = _other_order(rig, dict(zip(rig.robot.joint_names, reading.position, strict=True)))
    if not rig.double.has_wire:
        return f'another order in robot.yaml is {order}'
    if not np.isfinite(device.upper - device.lower).any():
        return f'another order in robot.yaml is {order}; the protocol has no limits'
    limits = rig.robot.limits
    degrees = replace(limits, lower=limits.lower * DEGREES, upper=limits.upper * DEGREES)
    robot = replace(rig.robot, limits=degrees)
    if refusal(lambda: _compare(rig, robot), ConfigError, DriverError) is None:
        raise Broken('a robot directory with limits in degrees is accepted')
    return f'another order in robot.yaml is {order}; limits in degrees are refused'


def _other_order(rig: Rig, by_name: dict[str, float]) -> str:
    robot = rig.permuted()
    try:
        reading = _compare(rig, robot)
    except ConfigError:
        return 'refused'
    wrong = [
        name
        for name, value in zip(robot.joint_names, reading.position, strict=True)
        if not abs(value - by_name[name]) <= SAME
    ]
    if wrong:
        raise Broken(f'joints are read by index, not by name: another order moves {wrong[0]}')
    return 'mapped by name'


def _compare(rig: Rig, robot: RobotModel) -> Reading:
    with rig.driver(robot) as driver:
        driver.connect()
        reading = driver.read()
        check_device(robot, driver.device_joints(), reading)
        return reading


def read(rig: Rig) -> str:
    with rig.servo() as servo:
        servo.hold()
        servo.driver.read_times.clear()
        servo.run(1.0)
        kept = servo.driver.read()
        servo.run(0.02)
        newer = servo.driver.read()
        if np.shares_memory(kept.position, newer.position):
            raise Broken('a reading changes after it was returned: read() reuses its arrays')
        _no_errors(servo)
        really = rig.double.position()
        if really is not None:
            off = np.abs(newer.position - really)
            worst = int(off.argmax())
            if not off[worst] <= SAME:
                raise Broken(
                    f'{rig.robot.joint_names[worst]} is read at {newer.position[worst]:.3f} rad '
                    f'and is at {really[worst]:.3f} rad'
                )
        return _exchange(servo.driver.read_times, 'read', rig.limits.read_deadline)


def _no_errors(servo: Servo) -> None:
    loop, calls = servo.loop, len(servo.driver.writes)
    reads, writes = loop.read_errors.total, loop.write_errors.total
    if loop.fault or not reads + writes <= ERRORS * calls:
        raise Broken(
            f'{reads} read errors and {writes} write errors in {calls} cycles: '
            f'{loop.faults.last_error}'
        )


def _exchange(times: list[float], what: str, longest: float) -> str:
    ms = np.array(times) * 1e3
    median, worst = float(np.median(ms)), float(ms.max())
    if not median <= EXCHANGE:
        raise Broken(f'half of all {what}s take more than {median:.1f} ms (limit {EXCHANGE:g} ms)')
    if not worst <= longest * 1e3:
        raise Broken(f'a {what} took {worst:.0f} ms (limit {longest * 1e3:.0f} ms)')
    return f'median {median:.2f} ms, worst {worst:.1f} ms of {len(ms)}'


def write(rig: Rig) -> str:
    with rig.servo() as servo:
        servo.start()
        joint, direction = rig.moved_joint(servo.reading.position)
        begin = float(rig.where(servo.driver)[joint])
        servo.driver.write_times.clear()
        servo.move(0.4, joint, direction)
        target = float(servo.loop.motion.position[joint])
        end = rig.until(
            lambda: abs(rig.where(servo.driver)[joint] - target) <= SAME / 2, 2.0, servo.cycle
        )
        _no_errors(servo)
        now = float(rig.where(servo.driver)[joint])
        if not (end < math.inf and abs(now - begin) >= 0.5 * abs(target - begin)):
            raise Broken(
                f'{rig.robot.joint_names[joint]} was commanded from {begin:.3f} to '
                f'{target:.3f} rad and is at {now:.3f} rad'
            )
        return _exchange(servo.driver.write_times, 'write', rig.limits.read_deadline)


def first_command(rig: Rig) -> str:
    with rig.servo() as servo:
        servo.hold()
        stiffen = float(getattr(servo.driver, 'stiffen_time', 0.5))
        servo.run(stiffen + RISEN)
        _first(rig, servo, stiffen)
        servo.estop()
        servo.run(0.3)
        servo.stood_up()
        servo.run(0.05)
        servo.driver.writes.clear()
        servo.hold()
        servo.run(stiffen + RISEN)
        return _first(rig, servo, stiffen)


def _first(rig: Rig, servo: Servo, stiffen: float) -> str:
    body = np.setdiff1d(np.arange(rig.robot.n), rig.robot.gripper_joints)  # a grip stays stiff
    writes = [one for one in servo.driver.writes if one.kp[body].any()]
    if not writes or writes[0].measured is None:
        raise Broken('the motors never became stiff')
    off = float(np.abs(writes[0].position - writes[0].measured)[body].max())
    if not off <= FIRST:
        raise Broken(f'the first command is {off:.3f} rad from the measured position')
    if rig.simulated:
        return f'first command {off:.4f} rad from the measured position'
    full = rig.robot.servo.kp[body]
    shares = [float((one.kp[body] / np.where(full > 0, full, 1.0)).max()) for one in writes]
    if not stiffen > 0.0 or not shares[0] <= 0.2:
        raise Broken(
            f'the stiffness begins at {shares[0] * 100:.0f} % (stiffen_time {stiffen:g} s)'
        )
    if not shares[-1] >= 0.999 or any(b < a - 1e-9 for a, b in pairwise(shares)):
        raise Broken(f'the stiffness does not rise to its whole in {stiffen:g} s')
    return f'first command {off:.4f} rad from the measured position, stiff after {stiffen:g} s'


def _settled(rig: Rig) -> int:
    """The double's count of commands, once it has stood still: the last ones of the driver before
    may arrive late."""
    count = rig.double.commands()
    for _ in range(SETTLING):
        rig.wait(0.1)
        last, count = count, rig.double.commands()
        if count == last:
            break
    return count


def activation(rig: Rig) -> str:
    with rig.driver() as driver:
        before, stiff = _settled(rig), rig.double.stiff()
        driver.connect()
        rig.wait(0.3)
        driver.read()
        if rig.double.stiff() > stiff or rig.double.commands() != before:
            raise Broken('connect() commands the robot')
    with rig.servo() as servo:
        begin = rig.where(servo.driver).copy()
        servo.supervised = False
        servo.run(0.3)
        servo.supervised = True
        servo.run(0.7)
        moved = float(np.abs(rig.where(servo.driver) - begin).max())
        if not moved <= STILL:
            raise Broken(f'a joint moves by {moved:.3f} rad when the driver is activated')
        return f'moved by {moved:.4f} rad'
