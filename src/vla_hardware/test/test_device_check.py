# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The connected robot against its directory: each difference is one error, and nothing moves."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest
from simulated import LIMITS, ROBOT

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_hardware.device_check import check_at_rest, check_device
from vla_hardware.drivers.base import DeviceJoints
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.servo_loop import ServoLoop
from vla_hardware.servo_output import NoBalance

STANDING = ROBOT.poses['standing']
OWN = DeviceJoints.of(ROBOT)
ELBOW = ROBOT.index['left_elbow']


def mock() -> MockDriver:
    driver = MockDriver(STANDING, ROBOT.limits.velocity, joints=OWN)
    driver.connect()
    return driver


READING = mock().read()


def exchanged(names):
    names = list(names)
    names[0], names[1] = names[1], names[0]
    return tuple(names)


def limits_of_elbow(lower, upper):
    changed = OWN.lower.copy(), OWN.upper.copy()
    changed[0][ELBOW], changed[1][ELBOW] = lower, upper
    return replace(OWN, lower=changed[0], upper=changed[1])


def elbow_at(value):
    position = READING.position.copy()
    position[ELBOW] = value
    return replace(READING, position=position)


LOWER, UPPER = float(OWN.lower[ELBOW]), float(OWN.upper[ELBOW])
DEGREES = 180.0 / np.pi

DEVICES = {
    'a robot without one of the joints': replace(OWN, names=(*OWN.names[:-1],)),
    'a robot with another joint': replace(OWN, names=('tail', *OWN.names[1:])),
    'a driver that reads joints in another order': replace(OWN, names=exchanged(OWN.names)),
    'a joint with a smaller range than the URDF': limits_of_elbow(LOWER + 0.3, UPPER),
    'a joint with the opposite sign': limits_of_elbow(-UPPER - 0.01, -LOWER),
    'limits of a driver in degrees': limits_of_elbow(LOWER * DEGREES, UPPER * DEGREES),
    'limits of a URDF in degrees': limits_of_elbow(LOWER / DEGREES, UPPER / DEGREES),
}
READINGS = {
    'a joint beyond its limits': elbow_at(UPPER + 0.5),
    'positions in degrees': replace(READING, position=np.full(ROBOT.n, 0.1) * DEGREES),
}


def test_the_robot_of_the_directory_is_accepted_and_so_is_one_that_does_not_say():
    check_device(ROBOT, OWN, READING)
    check_device(ROBOT, None, READING)
    check_device(ROBOT, limits_of_elbow(-np.inf, np.inf), READING)
    check_device(ROBOT, limits_of_elbow(-3.2, 3.2), READING)


@pytest.mark.parametrize('case', DEVICES)
def test_another_robot_than_the_directorys_is_refused(case):
    if case == 'limits of a URDF in degrees':
        robot = replace(ROBOT, limits=replace(
            ROBOT.limits, lower=OWN.lower * DEGREES, upper=OWN.upper * DEGREES))  # fmt: skip
        device = OWN
    else:
        robot, device = ROBOT, DEVICES[case]
    with pytest.raises(ConfigError) as error:
        check_device(robot, device, READING)
    documented('Robots that are connected', case, error.value, ROBOT.directory)


@pytest.mark.parametrize('case', READINGS)
def test_a_first_reading_that_cannot_be_this_robot_at_rest_is_refused(case):
    with pytest.raises(ConfigError) as error:
        check_device(ROBOT, None, READINGS[case])
    documented('Robots that are connected', case, error.value, re.compile(r'/\S*/robots'))


def test_a_joint_that_somebody_else_moves_is_refused_and_a_wrong_velocity_is_not():
    moved = elbow_at(READING.position[ELBOW] + 0.04)
    with pytest.raises(ConfigError) as error:
        check_at_rest(ROBOT, READING, moved, 0.05)
    name = 'a joint that somebody else moves'
    documented('Robots that are connected', name, error.value, re.compile(r'/\S*/robots'))
    fast = replace(READING, velocity=np.eye(ROBOT.n)[ELBOW] * 50.0)
    check_device(ROBOT, None, fast)
    check_at_rest(ROBOT, fast, fast, 0.05)


class MovedDriver(MockDriver):
    """Somebody else moves the elbow."""

    speed, begin = 0.0, 0.0

    def connect(self):
        super().connect()
        self.begin = time.monotonic()

    def read(self):
        velocity = np.eye(ROBOT.n)[ELBOW]
        position = READING.position + velocity * self.speed * (time.monotonic() - self.begin)
        return replace(READING, position=position, velocity=velocity)


@pytest.mark.parametrize('speed', [0.0, 1.0])
def test_the_servo_loop_looks_again_at_a_robot_that_says_it_moves(speed):
    driver = MovedDriver(STANDING, ROBOT.limits.velocity)
    driver.speed = speed
    loop = ServoLoop(
        ROBOT,
        period=0.005,
        limits=LIMITS,
        driver=driver,
        balance=NoBalance(ROBOT.n),
        clock=time.monotonic,
    )
    if speed:
        with pytest.raises(ConfigError, match='nobody else may move it'):
            loop.connect()
    else:
        loop.connect()


def test_the_servo_loop_compares_when_it_connects():
    driver = MockDriver(
        STANDING, ROBOT.limits.velocity, joints=DEVICES['a joint with the opposite sign']
    )
    balance = NoBalance(ROBOT.n)
    loop = ServoLoop(
        ROBOT, period=0.005, limits=LIMITS, driver=driver, balance=balance, clock=lambda: 0.0
    )
    with pytest.raises(ConfigError, match='opposite sign'):
        loop.connect()
