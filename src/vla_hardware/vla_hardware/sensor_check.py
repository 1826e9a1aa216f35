# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether what the robot says about itself can be true."""

from __future__ import annotations

import math
from enum import Enum

import numpy as np

from vla_robot import Reading


class SensorFault(Enum):
    """What is wrong with a reading."""

    NOT_FINITE = 'not finite'
    TORN = 'torn'


class SensorCheck:
    """Judges readings one after the other.

    Torn means: wrong shapes, an orientation that is no unit quaternion, or a joint that moved
    further since the last good reading than `speed_margin` times its velocity limit (and its own
    measured speed) allows, plus `slack` rad: the half-updated frame of a bus.
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

    def forget(self) -> None:
        """The robot was put somewhere else (simulation reset): the next position may be any."""
        self._last = None

    def judge(self, reading: Reading, now: float) -> tuple[SensorFault, str] | None:
        """None if the reading is good, else the flaw and where it is."""
        values = [getattr(reading, name) for name in self._names]
        for name, value, shape in zip(self._names, values, self._shapes, strict=True):
            if value.shape != shape:
                return SensorFault.TORN, f'{name}: shape {value.shape}, wanted {shape}'
        for name, value in zip(self._names, values, strict=True):
            # A sum of squares is finite only if every term is (and below 1e154, as all here should
            # be); ten times as fast as isfinite().all().
            if not math.isfinite(value @ value):
                return SensorFault.NOT_FINITE, name
        norm = float(reading.orientation @ reading.orientation)
        if not 0.9 <= norm <= 1.1:
            return SensorFault.TORN, f'orientation: squared norm {norm:.3f}'
        if self._last is not None:
            allowed = np.maximum(self._speed_limit, 2.0 * np.abs(reading.velocity))
            allowed *= max(now - self._last_time, 0.0)
            allowed += self._slack
            moved = np.abs(reading.position - self._last)
            if np.count_nonzero(moved <= allowed) != self._n:
                worst = int((moved - allowed).argmax())
                return SensorFault.TORN, f'position of joint {worst} jumped {moved[worst]:.3f} rad'
        self._last = reading.position.copy()
        self._last_time = now
        return None
