# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Plausibility checks on sensor readings."""

import math
from collections.abc import Callable
from enum import Enum

import numpy as np

from vla_hardware.drivers.base import Driver, DriverError
from vla_hardware.faults import ErrorCounter
from vla_robot import Reading


class SensorFault(Enum):
    """What is wrong with a reading."""

    NOT_FINITE = 'not finite'
    INCONSISTENT = 'inconsistent'


class SensorCheck:
    """Checks a sequence of readings.

    Inconsistent means: wrong shapes, an orientation that is no unit quaternion, or a joint that
    moved further since the last good reading than `speed_margin` times its velocity limit (and
    twice its measured speed) allows, plus `slack` rad: the half-updated frame of a bus.
    """

    def __init__(
        self, velocity_limit: np.ndarray, speed_margin: float = 3.0, slack: float = 0.05
    ) -> None:
        n = self._n = len(velocity_limit)
        sizes = {
            'position': n,
            'velocity': n,
            'effort': n,
            'orientation': 4,
            'angular_velocity': 3,
            'linear_acceleration': 3,
            'left_wrench': 6,
            'right_wrench': 6,
        }
        self._names = tuple(sizes)
        self._shapes = [(size,) for size in sizes.values()]
        self._speed_limit = velocity_limit * speed_margin
        self._slack = slack
        self._last: np.ndarray | None = None
        self._last_time = 0.0

    def reset(self) -> None:
        """The robot was relocated (simulation reset): the next position may be any."""
        self._last = None

    def check(self, reading: Reading, now: float) -> tuple[SensorFault, str] | None:
        """None if the reading is good, else the fault and where it is."""
        values = [getattr(reading, name) for name in self._names]
        for name, value, shape in zip(self._names, values, self._shapes, strict=True):
            if value.shape != shape:
                return SensorFault.INCONSISTENT, f'{name}: shape {value.shape}, wanted {shape}'
        for name, value in zip(self._names, values, strict=True):
            if name == 'orientation' and not reading.has_orientation:
                continue
            # A sum of squares is finite only if every term is (and below 1e154, as all here should
            # be); ten times as fast as isfinite().all().
            if not math.isfinite(value @ value):
                return SensorFault.NOT_FINITE, name
        norm = float(reading.orientation @ reading.orientation)
        if reading.has_orientation and not 0.9 <= norm <= 1.1:
            return SensorFault.INCONSISTENT, f'orientation: squared norm {norm:.3f}, wanted 1'
        if self._last is not None:
            allowed = np.maximum(self._speed_limit, 2.0 * np.abs(reading.velocity))
            allowed *= max(now - self._last_time, 0.0)
            allowed += self._slack
            moved = np.abs(reading.position - self._last)
            if np.count_nonzero(moved <= allowed) != self._n:
                worst = int((moved - allowed).argmax())
                return (
                    SensorFault.INCONSISTENT,
                    f'position of joint {worst} jumped {moved[worst]:.3f} rad '
                    f'(limit {allowed[worst]:.3f})',
                )
        self._last = reading.position.copy()
        self._last_time = now
        return None


class SensorReader:
    """Reads the driver and counts everything that is wrong with a reading.

    deadline: s; a read that took longer counts as an error, and the reading is used.
    """

    def __init__(
        self,
        driver: Driver,
        check: SensorCheck,
        errors: ErrorCounter,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._driver, self._check, self._errors = driver, check, errors
        self._deadline, self._clock = deadline, clock

    def read(self, now: float) -> Reading | None:
        """A reading that passed the checks, else None. Never raises."""
        try:
            reading = self._driver.read()
        except DriverError as error:
            return self._errors.add(str(error), fatal=error.stopped)
        except Exception as error:  # a vendor's library may raise anything
            return self._errors.add(f'{type(error).__name__}: {error}')
        took = self._clock() - now
        late = not took <= self._deadline
        if late:
            # Once, it may have been the scheduler of a busy computer, and the reading is good.
            self._errors.add(f'took {took * 1e3:.0f} ms (limit {self._deadline * 1e3:.0f} ms)')
        try:
            wrong = self._check.check(reading, now)
        except Exception as error:  # ... and return anything: lists, None, a part of a reading
            return self._errors.add(f'not a reading: {type(error).__name__}: {error}')
        if wrong is not None:
            fault, where = wrong
            fatal = fault is SensorFault.NOT_FINITE
            return self._errors.add(f'{fault.value}: {where}', fatal)
        if not late:
            self._errors.in_row = 0
        return reading
