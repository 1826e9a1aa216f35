# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Action chunks and their playback: what is wanted *now*."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_safety.kernel import joints as loops


class Interpolation(str, Enum):
    """How positions between a chunk's points are found."""

    LINEAR = 'linear'
    CUBIC = 'cubic'
    MINIMUM_JERK = 'minimum_jerk'


@dataclass(frozen=True)
class Chunk:
    """One policy answer.

    Attributes:
        joints: (k,) int, indices into the robot's joints.
        times: (h,) s since the observation, > 0, increasing.
        positions: (h, k) rad.
        stamp: s, time of the observation on the caller's steady clock.
        velocities: (h, k) rad/s, or None to take them from the positions' differences.
        sequence: increases from chunk to chunk, or None to compare the stamps.
    """

    joints: np.ndarray
    times: np.ndarray
    positions: np.ndarray
    stamp: float
    velocities: np.ndarray | None = None
    sequence: int | None = None


def knot_velocities(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Velocities (h, k) at the points: parabola through each and its neighbours, one-sided at ends.

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
    zero = np.zeros_like(p)
    return np.stack(
        [
            p,
            v,
            zero,
            (10 * excess - 4 * turn) / h**3,
            (-15 * excess + 7 * turn) / h**4,
            (6 * excess - 3 * turn) / h**5,
        ],
        axis=1,
    )


class ChunkTracker:
    """Plays the newest chunk, taking over from the motion before without a jump.

    Playback time runs at the speed scale: at 0.25 the chunk takes four times as long. A chunk that
    arrives late starts where it ought to be by then; what is past is skipped.

    Cross-fade: at the moment a chunk is taken, what was wanted until then differs from what the
    new chunk wants by (Δp, Δv). That difference is added to the new chunk and fades to zero over
    `cross_fade` seconds along the quintic that has zero acceleration at both ends. So what is
    wanted is continuous in position and velocity however fast chunks follow each other, at the
    cost of one evaluation. Joints that the motion before did not cover have nothing to fade from;
    the limits of the filter bring them there.

    Args:
        n: joints of the robot.
        interpolation: between points.
        cross_fade: s, > 0.
    """

    def __init__(self, n: int, interpolation: Interpolation, cross_fade: float) -> None:
        self._interpolation = interpolation
        self._cross_fade = cross_fade
        self._chunk: Chunk | None = None
        self._knots: list[float] = []
        self._coefficients = np.zeros((0, 3, 0))
        self._time = 0.0
        self._faded = 0.0
        # Of the two curves that fade: their values, and their rates.
        self._fading = np.zeros(4)
        self._joints = np.zeros(0, dtype=np.intp)
        self._before, self._target = np.zeros((2, n)), np.zeros((2, n))
        self.covered = np.zeros(n, dtype=np.uint8)

    @property
    def chunk(self) -> Chunk | None:
        """The chunk that is played, None without one."""
        return self._chunk

    @property
    def horizon_left(self) -> float:
        """Seconds of chunk time still ahead; 0 without a chunk or at its end."""
        if self._chunk is None:
            return 0.0
        return max(0.0, self._knots[-1] - self._time)

    @property
    def ended(self) -> bool:
        return self._chunk is not None and not self._time < self._knots[-1]

    def clear(self) -> None:
        """Forget the chunk."""
        self._chunk = None
        self.covered[:] = 0

    @staticmethod
    def start_time(chunk: Chunk, now: float, scale: float) -> float:
        """Chunk time at which playback of `chunk` begins when it is taken at `now`.

        Since the observation the robot has moved at the scale, so it is there in the chunk.
        """
        return max(0.0, now - chunk.stamp) * scale

    def take(self, chunk: Chunk, now: float, scale: float) -> None:
        """Play `chunk` from now on.

        Args:
            now: s, on the clock of its stamp.
            scale: speed scale in force.
        """
        start = self.start_time(chunk, now, scale)
        joints = np.array(chunk.joints, dtype=np.intp)
        fading = self.covered[joints] != 0
        if fading.any():
            self.sample(scale, self._before)
        times = np.asarray(chunk.times, dtype=float)
        positions = np.asarray(chunk.positions, dtype=float)
        if chunk.velocities is None:
            velocities = knot_velocities(times, positions)
        else:
            velocities = np.asarray(chunk.velocities, dtype=float)
        if start < times[0]:
            # Before its first point a chunk says nothing; its first motion is continued backwards.
            # (Drawing a line from the present command instead would ask for (p₀ − command)/t₀,
            # which each new chunk renews: a robot that lags would be driven past its target.)
            positions = np.concatenate((positions[:1] - velocities[:1] * times[0], positions))
            velocities = np.concatenate((velocities[:1], velocities))
            times = np.concatenate(([0.0], times))
        self._knots = times.tolist()
        own = segment_coefficients(times, positions, velocities, self._interpolation)
        # What fades is a sum of two curves more: one product for all of it.
        self._coefficients = np.concatenate((own, np.zeros((len(own), 2, len(joints)))), axis=1)
        self._chunk = chunk
        self._time = start
        self._faded = 0.0
        self._joints = joints
        self.covered[:] = 0
        self.covered[joints] = 1
        self._fading[:] = 0.0
        self._evaluate(scale, self._target)
        fade = (self._before - self._target)[:, joints]
        fade[:, ~fading] = 0.0
        self._coefficients[:, -2:] = fade

    def advance(self, dt: float, scale: float) -> None:
        """Let `dt` seconds pass; playback moves by dt·scale."""
        self._time += dt * scale
        self._faded += dt

    def sample(self, scale: float, target: np.ndarray) -> None:
        """Write the covered joints' wanted position (rad) and velocity (rad/s) into (2, n)."""
        assert self._chunk is not None
        s = self._faded / self._cross_fade
        fading = self._fading
        if s < 1.0:
            s2 = s * s
            s3 = s2 * s
            # Quintic Hermite basis of "value 1, slope 0" and "value 0, slope 1" falling to rest.
            fading[0] = 1.0 - s3 * (10.0 - 15.0 * s + 6.0 * s2)
            fading[1] = (s - s3 * (6.0 - 8.0 * s + 3.0 * s2)) * self._cross_fade
            fading[2] = -30.0 * s2 * (1.0 - s) ** 2 / self._cross_fade
            fading[3] = 1.0 - s2 * (18.0 - 32.0 * s + 15.0 * s2)
        else:
            fading[:] = 0.0
        self._evaluate(scale, target)

    def _evaluate(self, scale: float, target: np.ndarray) -> None:
        """Position and velocity at the playback time, what fades included."""
        # bisect on a list of floats takes a tenth of np.searchsorted's time for so few points.
        time = min(self._time, self._knots[-1])
        segment = min(max(bisect_right(self._knots, time) - 1, 0), len(self._coefficients) - 1)
        loops.play(
            self._coefficients,
            segment,
            time - self._knots[segment],
            scale,
            self._fading,
            self._joints,
            target,
        )
