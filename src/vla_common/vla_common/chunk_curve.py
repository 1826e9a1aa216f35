# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The curve through the points of an action chunk.

One definition for the safety filter, which plays it, and for inference, which joins new chunks to
it. Chunk time is s since the observation that the chunk answers.
"""

from bisect import bisect_right
from enum import Enum
from functools import cached_property

import numpy as np


class Interpolation(str, Enum):
    """Form of the curve between two points."""

    LINEAR = 'linear'
    CUBIC = 'cubic'
    MINIMUM_JERK = 'minimum_jerk'


def knot_velocities(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Velocities (h, k) at the points: parabola through each and its neighbors, one-sided at ends.

    With hᵢ = tᵢ₊₁ − tᵢ and slopes sᵢ: vᵢ = (hᵢ·sᵢ₋₁ + hᵢ₋₁·sᵢ) / (hᵢ₋₁ + hᵢ).
    """
    if len(times) == 1:
        return np.zeros_like(positions)
    steps = np.diff(times)[:, None]
    slopes = np.diff(positions, axis=0) / steps
    velocities = np.empty_like(positions)
    velocities[0], velocities[-1] = slopes[0], slopes[-1]
    velocities[1:-1] = (steps[1:] * slopes[:-1] + steps[:-1] * slopes[1:]) / (
        steps[1:] + steps[:-1]
    )
    return velocities


def segment_coefficients(
    times: np.ndarray, positions: np.ndarray, velocities: np.ndarray, kind: Interpolation
) -> np.ndarray:
    """Polynomials (h−1, order+1, k) in s since each segment's start, lowest power first.

    Linear; cubic Hermite; or minimum jerk: the quintic with the given velocities and zero
    acceleration at both ends (Flash and Hogan 1985, with boundary velocities).
    """
    h = np.diff(times)[:, None]
    p, v = positions[:-1], velocities[:-1]
    gap = positions[1:] - p
    if kind is Interpolation.LINEAR:
        return np.stack([p, gap / h], axis=1)
    end = velocities[1:]
    if kind is Interpolation.CUBIC:
        return np.stack(
            [p, v, (3 * gap / h - 2 * v - end) / h, (v + end - 2 * gap / h) / h**2], axis=1
        )
    excess = gap - v * h
    turn = (end - v) * h
    return np.stack(
        [
            p,
            v,
            np.zeros_like(p),
            (10 * excess - 4 * turn) / h**3,
            (-15 * excess + 7 * turn) / h**4,
            (6 * excess - 3 * turn) / h**5,
        ],
        axis=1,
    )


class ChunkCurve:
    """Position, velocity and acceleration of k joints at any chunk time.

    Before the first point the first velocity is continued backwards: a line from wherever the robot
    is would command (p₀ − p)/t₀, renewed by each chunk, and drive a robot that lags past its
    target. After the last point the joints rest there.

    Args:
        times: (h,) s, increasing.
        positions: (h, k) rad.
        velocities: (h, k) rad/s; None derives them from the positions.
        interpolation: between the points.
    """

    def __init__(
        self,
        times: np.ndarray,
        positions: np.ndarray,
        velocities: np.ndarray | None = None,
        interpolation: Interpolation = Interpolation.MINIMUM_JERK,
    ) -> None:
        self.times = np.asarray(times, dtype=float)
        self.positions = np.asarray(positions, dtype=float)
        self.interpolation = interpolation
        self._velocities = velocities

    @cached_property
    def velocities(self) -> np.ndarray:
        """(h, k) rad/s at the points."""
        if self._velocities is None:
            return knot_velocities(self.times, self.positions)
        return np.asarray(self._velocities, dtype=float)

    @property
    def end(self) -> float:
        """Chunk time of the last point."""
        return float(self.times[-1])

    @cached_property
    def knots(self) -> list[float]:
        """Chunk times at which the segments begin, and the end; from 0 on."""
        lead_in = [0.0] if self.times[0] > 0.0 else []
        return lead_in + self.times.tolist()

    @cached_property
    def coefficients(self) -> np.ndarray:
        """(segments, order+1, k), see `segment_coefficients`; the first leads from 0 to it."""
        own = segment_coefficients(self.times, self.positions, self.velocities, self.interpolation)
        if not self.times[0] > 0.0 and len(own):
            return own
        first = np.zeros((1, *own.shape[1:]))
        first[0, 0] = self.positions[0] - self.velocities[0] * self.times[0]
        first[0, 1] = self.velocities[0]
        return np.concatenate((first, own))

    def segment(self, time: float) -> int:
        """Row of `coefficients` that holds at chunk time `time`."""
        # bisect on a list of floats takes a tenth of np.searchsorted's time for so few points.
        return min(max(bisect_right(self.knots, time) - 1, 0), len(self.coefficients) - 1)

    def sample(self, times: np.ndarray) -> np.ndarray:
        """Positions (m, k) rad at chunk times (m,)."""
        at = np.minimum(np.asarray(times, dtype=float), self.end)
        knots = np.array(self.knots)
        inner = np.minimum(np.searchsorted(knots, at, side='right') - 1, len(self.coefficients) - 1)
        inner = np.maximum(inner, 0)
        before = np.minimum(at - knots[0], 0.0)[:, None]
        s = np.maximum(at - knots[inner], 0.0)[:, None]
        c = self.coefficients[inner]
        found = c[:, -1]
        for power in range(c.shape[1] - 2, -1, -1):
            found = found * s + c[:, power]
        return found + before * self.velocities[0]

    def state(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position rad, velocity rad/s and acceleration rad/s² (k,) at chunk time `time`."""
        p, v = self.positions, self.velocities
        if time >= self.times[-1]:
            return p[-1], np.zeros_like(p[-1]), np.zeros_like(p[-1])
        if time < self.times[0]:
            return p[0] + v[0] * (time - self.times[0]), v[0], np.zeros_like(p[0])
        segment = self.segment(time)
        s = time - self.knots[segment]
        position = velocity = acceleration = np.zeros_like(p[0])
        # Horner, for the value and half of its second derivative.
        for c in self.coefficients[segment][::-1]:
            acceleration = acceleration * s + velocity
            velocity = velocity * s + position
            position = position * s + c
        return position, velocity, 2.0 * acceleration
