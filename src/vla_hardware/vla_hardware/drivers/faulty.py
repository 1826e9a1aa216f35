# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Driver faults on request, for fault injection in simulation; never for a real robot."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vla_hardware.drivers.base import Driver, DriverError, Gains
from vla_robot import Reading

HANG = 1.0
"""s that a hanging read blocks, once per `inject`."""

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])

WRONG_READINGS: Mapping[str, Callable[[Reading], Reading]] = {
    'imu:quaternion_order': lambda r: replace(r, orientation=r.orientation[[1, 2, 3, 0]]),
    'imu:no_orientation': lambda r: replace(r, orientation=IDENTITY, has_orientation=False),
    'imu:accelerometer_sign': lambda r: replace(r, linear_acceleration=-r.linear_acceleration),
    'imu:gyroscope_sign': lambda r: replace(r, angular_velocity=-r.angular_velocity),
    'joints:velocity_sign': lambda r: replace(r, velocity=-r.velocity),
    'joints:velocity_degrees': lambda r: replace(r, velocity=r.velocity * (180.0 / math.pi)),
    'feet:sign': lambda r: replace(r, left_wrench=-r.left_wrench, right_wrench=-r.right_wrench),
    'feet:exchanged': lambda r: replace(r, left_wrench=r.right_wrench, right_wrench=r.left_wrench),
}
"""Readings that are plausible one by one, and wrong: the mistakes of a new driver."""

FAULTS = (
    *('none', 'read_error', 'read_hang', 'read_nan', 'write_error'),
    *WRONG_READINGS,
    'stuck:<joint>',
)


class FaultyDriver:
    """A driver with one injected fault; everything else is passed on.

    read_error, write_error: it raises. read_hang: one read blocks for `HANG`. read_nan: the
    position of one joint is NaN. `WRONG_READINGS`: each reading is altered. stuck:<joint>: while
    its servo is stiff the joint stays where it is, whatever is commanded.

    Args:
        driver: the driver without a fault.
        joint_names: in robot order.
        sleep: replaced in tests.
    """

    def __init__(
        self,
        driver: Driver,
        joint_names: Sequence[str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._driver = driver
        self._names = tuple(joint_names)
        self._sleep = sleep
        self._fault = 'none'
        self._joint: int | None = None
        self._stuck_at: float | None = None

    def inject(self, what: str) -> str:
        """Replace the fault by one of `FAULTS` (`stuck:<joint>`); return an error, '' if none."""
        fault, _, joint = what.partition(':')
        stuck = fault == 'stuck' and bool(joint)
        if not stuck and what not in FAULTS[:-1]:
            return f'{what}: wanted one of {", ".join(FAULTS)}'
        if stuck and joint not in self._names:
            return f'{what}: no joint of this robot'
        self._fault = what
        self._joint = self._names.index(joint) if stuck else None
        self._stuck_at = None
        return ''

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def read(self) -> Reading:
        if self._fault == 'read_error':
            raise DriverError('injected fault: read error')
        if self._fault == 'read_hang':
            self._fault = 'none'
            self._sleep(HANG)
        reading = self._driver.read()
        if self._fault in WRONG_READINGS:
            return WRONG_READINGS[self._fault](reading)
        if self._fault == 'read_nan':
            position = reading.position.copy()
            position[0] = np.nan
            return replace(reading, position=position)
        if self._joint is not None and self._stuck_at is None:
            self._stuck_at = float(reading.position[self._joint])
        return reading

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        if self._fault == 'write_error':
            raise DriverError('injected fault: write error')
        if self._joint is not None and self._stuck_at is not None:
            position, velocity = position.copy(), velocity.copy()
            position[self._joint], velocity[self._joint] = self._stuck_at, 0.0
        self._driver.write(position, velocity, effort, gains)
