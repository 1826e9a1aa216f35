# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Action chunks and their playback."""

from dataclasses import dataclass

import numpy as np

from vla_common.chunk_curve import ChunkCurve, Interpolation
from vla_safety.kernel import joints as loops


@dataclass(frozen=True)
class Chunk:
    """One answer of the policy.

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


class ChunkTracker:
    """Plays the newest chunk and takes over from the motion before without a jump.

    Playback time runs at the speed scale: at 0.25 the chunk takes four times as long. A late chunk
    starts at the point that is due; what is past is skipped.

    Cross-fade: when a chunk is taken, the target until then differs from the new chunk's by
    (Δp, Δv). That difference is added to the new chunk and fades to zero over `cross_fade` seconds
    along the quintic with zero acceleration at both ends. So the target is continuous in position
    and velocity however fast chunks follow each other. Joints that the motion before did not cover
    have nothing to fade from; the filter's limits bring them to the chunk.

    Args:
        n: joints of the robot.
        interpolation: between points.
        cross_fade: s, > 0.
    """

    def __init__(self, n: int, interpolation: Interpolation, cross_fade: float) -> None:
        self._interpolation = interpolation
        self._cross_fade = cross_fade
        self.chunk: Chunk | None = None  # that is played
        self._curve: ChunkCurve | None = None
        self._coefficients = np.zeros((0, 3, 0))
        self._time = 0.0
        self._faded = 0.0
        # Of the two curves that fade: their values, then their rates.
        self._fading = np.zeros(4)
        self._joints = np.zeros(0, dtype=np.intp)
        self._before, self._target = np.zeros((2, n)), np.zeros((2, n))
        self.covered = np.zeros(n, dtype=np.uint8)

    @property
    def playback_time(self) -> float:
        """s into the chunk; −1 without one."""
        return -1.0 if self.chunk is None else self._time

    @property
    def horizon_left(self) -> float:
        """Seconds of chunk time still ahead; 0 without a chunk or at its end."""
        return 0.0 if self.chunk is None else max(0.0, self._curve.end - self._time)

    @property
    def ended(self) -> bool:
        return self.chunk is not None and not self._time < self._curve.end

    def clear(self) -> None:
        """Drop the chunk."""
        self.chunk = None
        self.covered[:] = 0

    @staticmethod
    def start_time(chunk: Chunk, now: float, scale: float) -> float:
        """Chunk time at which playback of `chunk` begins when it is taken at `now`.

        Since the observation the robot has moved at the scale, so it is there in the chunk.
        """
        return max(0.0, now - chunk.stamp) * scale

    def take(self, chunk: Chunk, now: float, scale: float, pace: float = 1.0) -> None:
        """Play `chunk` from now on.

        Args:
            now: s, on the clock of its stamp.
            scale: speed scale in force.
            pace: share of it at which playback has run of late.
        """
        joints = np.array(chunk.joints, dtype=np.intp)
        fading = self.covered[joints] != 0
        if fading.any():
            self.sample(scale, self._before)
        self._curve = curve = ChunkCurve(
            chunk.times, chunk.positions, chunk.velocities, self._interpolation
        )
        own = curve.coefficients
        # The fade is a sum of two more curves: one product evaluates all of it.
        self._coefficients = np.concatenate((own, np.zeros((len(own), 2, len(joints)))), axis=1)
        self.chunk = chunk
        self._time = self.start_time(chunk, now, scale * pace)
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

    def remaining(self, position: np.ndarray) -> float:
        """rad, the furthest that a joint at `position` (n,) is from the chunk's last point; 0
        without a chunk."""
        if self.chunk is None:
            return 0.0
        return float(np.abs(self.chunk.positions[-1] - position[self._joints]).max())

    def wait(self, time: float) -> None:
        """Take back `time` s of chunk time, which the command has not moved through."""
        self._time -= time

    def sample(self, scale: float, target: np.ndarray) -> None:
        """Write the covered joints' target position (rad) and velocity (rad/s) into (2, n)."""
        assert self.chunk is not None
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
        """Position and velocity at the playback time, the fade included."""
        time = min(self._time, self._curve.end)
        segment = self._curve.segment(time)
        loops.play(
            self._coefficients,
            segment,
            time - self._curve.knots[segment],
            scale,
            self._fading,
            self._joints,
            target,
        )
