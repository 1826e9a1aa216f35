# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver that breaks on demand: each fault, and what the servo loop makes of it."""

import numpy as np
import pytest
from simulated import ROBOT

from vla_hardware.drivers.base import DriverError, Gains
from vla_hardware.drivers.faulty import FAULTS, HANG, FaultyDriver
from vla_hardware.drivers.mock import MockDriver

ELBOW = ROBOT.index['left_elbow']
STANDING = ROBOT.poses['standing']


@pytest.fixture
def faulty():
    mock = MockDriver(STANDING, ROBOT.limits.velocity)
    naps = []
    driver = FaultyDriver(mock, ROBOT.joint_names, naps.append)
    driver.mock, driver.naps = mock, naps
    driver.connect()
    return driver


def write(driver, position):
    zeros = np.zeros(ROBOT.n)
    driver.write(position, zeros, zeros, Gains(ROBOT.servo.kp, ROBOT.servo.kv))


def test_whole_it_is_the_driver_that_it_wraps(faulty):
    assert faulty.inject('none') == ''
    np.testing.assert_array_equal(faulty.read().position, STANDING)
    write(faulty, STANDING + 0.1)
    np.testing.assert_array_equal(faulty.mock.target, STANDING + 0.1)
    faulty.power(True)
    assert faulty.mock.powered
    assert faulty.real_time_factor == 1.0


def test_errors_are_raised_until_it_is_repaired(faulty):
    faulty.inject('read_error')
    with pytest.raises(DriverError):
        faulty.read()
    faulty.inject('write_error')
    faulty.read()
    with pytest.raises(DriverError):
        write(faulty, STANDING)
    faulty.inject('none')
    write(faulty, STANDING)


def test_a_hanging_read_blocks_once(faulty):
    faulty.inject('read_hang')
    faulty.read()
    faulty.read()
    assert faulty.naps == [HANG]


def test_a_reading_with_nan_leaves_the_robots_own_alone(faulty):
    faulty.inject('read_nan')
    assert np.isnan(faulty.read().position[0])
    faulty.inject('none')
    assert np.isfinite(faulty.read().position).all()


def test_a_stuck_joint_stays_and_the_others_follow(faulty):
    faulty.inject('stuck:left_elbow')
    faulty.read()
    wanted = STANDING + 0.2
    write(faulty, wanted)
    assert faulty.mock.target[ELBOW] == STANDING[ELBOW]
    assert np.delete(faulty.mock.target, ELBOW) == pytest.approx(np.delete(wanted, ELBOW))
    assert wanted[ELBOW] == STANDING[ELBOW] + 0.2


@pytest.mark.parametrize('what', ['melted', 'stuck', 'stuck:left_antenna', 'read_error:left_elbow'])
def test_what_cannot_be_broken_is_reported_and_changes_nothing(faulty, what):
    assert what in faulty.inject(what)
    faulty.read()
    assert 'none' in FAULTS
