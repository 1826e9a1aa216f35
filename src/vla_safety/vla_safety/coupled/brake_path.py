# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The way that the full brake takes from a command, and how a command moves that way."""

from __future__ import annotations

import numpy as np


class BrakePath:
    """Positions of all joints while each lowers its speed by its own a per second.

    Sampled with a period T, the brake sends v − aT, v − 2aT, … and a joint covers, by the time t,
    w·t − ½at² with w = |v| − ½aT, and w²/2a in all (a right Riemann sum, up to aT²/8). Each joint
    stops at its own time, so the way is bent.

    Args:
        acceleration: (n,) rad/s², > 0.

    Attributes:
        start, stop: (n,) rad, first and last position. ends: (2, n), the two of them.
        sweep: (n,) rad, |stop − start|.
        duration: s, until the last joint rests.
    """

    def __init__(self, acceleration: np.ndarray) -> None:
        n = len(acceleration)
        self._acceleration = np.array(acceleration, dtype=float)
        self._half = 0.5 * self._acceleration
        self._inverse = 1.0 / self._acceleration
        self._speed = np.zeros(n)
        self._velocity = np.zeros(n)
        self._times = np.zeros(n)
        self.ends = np.zeros((2, n))
        self.start, self.stop = self.ends
        self.sweep = np.zeros(n)
        self.duration = 0.0

    def set(self, position: np.ndarray, velocity: np.ndarray, period: float) -> None:
        """The brake from `position` (n,) rad at `velocity` (n,) rad/s, sampled with `period` s."""
        self.start[:] = position
        self._velocity[:] = velocity
        np.abs(velocity, self._speed)
        self._speed -= self._half * period
        np.maximum(self._speed, 0.0, out=self._speed)
        np.multiply(self._speed, self._inverse, self._times)
        np.multiply(self._speed, self._times, self.sweep)
        self.sweep *= 0.5
        np.copysign(self.sweep, velocity, self.stop)
        self.stop += position
        self.duration = float(self._times.max())

    def at(self, time: float) -> np.ndarray:
        """(n,) rad, `time` s after the start."""
        t = np.minimum(self._times, time)
        way = self._speed - self._half * t
        way *= t
        np.copysign(way, self._velocity, way)
        way += self.start
        return way

    def time_of(self, share: float) -> float:
        """s after which about `share` (0..1) of the way is done: 1 − share = (1 − t/duration)²."""
        return self.duration * (1.0 - (1.0 - share) ** 0.5)


def leverage(
    times: np.ndarray, speed: np.ndarray, acceleration: np.ndarray, period: float, lag: float
) -> np.ndarray:
    """How far the next velocity u moves each joint on its brake path: ∂b(τ)/∂u, s.

    u is held for one period T and then braked; at the time τ of the path the joint is at
    p + uT + (what the brake from u covers in τ − T). The slope is the secant between the ends of
    the box, |v| − aT (the full brake) and |v| + aT: v/a + T/2 where the joint has come to rest by
    then, and 9T/8 for one that starts from rest; before that, τ.

    Args:
        times: (k,) τ of each row, s.
        speed: (n,) |v| rad/s.
        acceleration: (n,) rad/s².
        period: T, s.
        lag: s, by which the joints overshoot each rad/s that they brake from.

    Returns:
        (k, n).
    """
    most = speed / acceleration
    most += 0.5 * period
    np.maximum(most, 1.125 * period, out=most)
    slope = np.minimum(np.maximum(times, period)[:, None], most)
    slope += lag
    return slope
