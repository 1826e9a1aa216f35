# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Validation of action chunks: accepted whole, or rejected with named reasons.

Every test is positive ("inside the range"), so that a NaN fails it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vla_common.stamps import is_other_clock
from vla_safety.chunk import Chunk
from vla_safety.violations import Violation, ViolationKind, violation

MIN_SPACING = 1e-3
"""s; points closer than this in time turn rounding errors into velocities."""

MAX_VELOCITY_RATIO = 10.0
"""Multiple of the joint's velocity limit above which a chunk's velocity is implausible."""

LONGEST_NAME = 64
"""Characters of an unknown joint name that are reported."""


@dataclass(frozen=True)
class ChunkRules:
    """What a chunk has to satisfy.

    Attributes:
        max_age: s between observation and arrival.
        max_future: s that a stamp may be ahead of this clock.
        max_points: points in a chunk.
        max_horizon: s, time of the last point.
        max_first_step: rad that the first point may be away from the measured joint, on top of
            what the joint can travel until that point.
        max_excess: rad that any point may be beyond the joint's limits. Less than that is clamped
            by the box; more is no joint position (degrees, another robot's zero).
    """

    max_age: float
    max_future: float
    max_points: int
    max_horizon: float
    max_first_step: float
    max_excess: float


def joint_indices(
    names: Sequence[str], index: Mapping[str, int]
) -> tuple[np.ndarray, list[Violation]]:
    """Indices (k,) of joint names.

    Returns:
        The indices (empty if rejected) and the reasons for rejecting.
    """
    unknown = [name for name in names if name not in index]
    if unknown:
        # A name may have any length, and appears in every status until the next valid chunk.
        return np.zeros(0, dtype=np.intp), [
            violation(ViolationKind.UNKNOWN_JOINT, name[:LONGEST_NAME]) for name in unknown[:8]
        ]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return np.zeros(0, dtype=np.intp), [violation(ViolationKind.DUPLICATE_JOINT, name)]
        seen.add(name)
    if not seen:
        return np.zeros(0, dtype=np.intp), [violation(ViolationKind.WRONG_SHAPE, '', 0, 1)]
    return np.array([index[name] for name in names], dtype=np.intp), []


class ChunkValidator:
    """Validates chunks against the rules, the robot and the chunk before.

    Args:
        names: (n) joint names, for the reports.
        lower, upper: (n,) rad, joint limits.
        velocity: (n,) rad/s, velocity limits.
    """

    def __init__(
        self,
        names: Sequence[str],
        lower: np.ndarray,
        upper: np.ndarray,
        velocity: np.ndarray,
        rules: ChunkRules,
    ) -> None:
        self._names = tuple(names)
        self._low = np.asarray(lower, dtype=float) - rules.max_excess
        self._high = np.asarray(upper, dtype=float) + rules.max_excess
        self._velocity = np.array(velocity, dtype=float)
        self._rules = rules
        self._last: float | int | None = None

    def forget(self) -> None:
        """Forget the order of earlier chunks, for a new episode with a new clock."""
        self._last = None

    def admit(self, chunk: Chunk, now: float, measured: np.ndarray | None) -> list[Violation]:
        """Return the reasons to reject `chunk`; an empty list admits it and stores its order.

        Args:
            now: s, the same clock as `chunk.stamp`.
            measured: (n,) rad, or None where unknown: then nothing is admitted.
        """
        found = self._shape(chunk) or self._numbers(chunk)
        if not found:
            found = self._timing(chunk, now)
        if not found:
            found = self._place(chunk, measured)
        if not found:
            self._last = self._order(chunk)
        return found

    @staticmethod
    def _order(chunk: Chunk) -> float | int:
        return chunk.stamp if chunk.sequence is None else chunk.sequence

    def _shape(self, chunk: Chunk) -> list[Violation]:
        n, rules = len(self._names), self._rules
        joints, times, positions = chunk.joints, chunk.times, chunk.positions
        if joints.ndim != 1 or not len(joints) >= 1 or joints.dtype.kind not in 'iu':
            return [violation(ViolationKind.WRONG_SHAPE, 'joints', joints.size, n)]
        for joint in joints:
            if not 0 <= joint < n:
                return [violation(ViolationKind.UNKNOWN_JOINT, str(int(joint)), joint, n)]
        if len(np.unique(joints)) != len(joints):
            values, counts = np.unique(joints, return_counts=True)
            return [
                violation(ViolationKind.DUPLICATE_JOINT, self._names[joint], count, 1)
                for joint, count in zip(values, counts, strict=True)
                if count > 1
            ]
        if times.ndim != 1 or not len(times) >= 1:
            return [violation(ViolationKind.WRONG_SHAPE, 'times', times.size, 1)]
        if len(times) > rules.max_points:
            return [violation(ViolationKind.TOO_LONG, 'points', len(times), rules.max_points)]
        for array, name in ((positions, 'positions'), (chunk.velocities, 'velocities')):
            if array is not None and array.shape != (len(times), len(joints)):
                return [
                    violation(ViolationKind.WRONG_SHAPE, name, array.size, len(times) * len(joints))
                ]
        return []

    def _numbers(self, chunk: Chunk) -> list[Violation]:
        rules = self._rules
        for array in (chunk.positions, chunk.velocities):
            if array is not None:
                finite = np.isfinite(array)
                if not finite.all():
                    bad = np.flatnonzero(~finite.all(axis=0))
                    return [
                        violation(
                            ViolationKind.NOT_FINITE,
                            self._names[chunk.joints[column]],
                            array[~finite[:, column], column][0],
                        )
                        for column in bad[:8]
                    ]
        if not np.isfinite(chunk.stamp):
            return [violation(ViolationKind.NOT_FINITE, 'stamp', chunk.stamp)]
        if not np.isfinite(chunk.times).all():
            return [violation(ViolationKind.NOT_FINITE, 'times')]
        spacing = np.diff(chunk.times, prepend=0.0)
        if not (spacing >= MIN_SPACING).all():
            return [violation(ViolationKind.WRONG_TIMES, 'times', spacing.min(), MIN_SPACING)]
        if not chunk.times[-1] <= rules.max_horizon:
            return [
                violation(ViolationKind.TOO_LONG, 'horizon', chunk.times[-1], rules.max_horizon)
            ]
        return []

    def _timing(self, chunk: Chunk, now: float) -> list[Violation]:
        age = now - chunk.stamp
        clock = 'another clock (use_sim_time?)' if is_other_clock(age) else ''
        if not age <= self._rules.max_age:
            return [violation(ViolationKind.STALE, clock, age, self._rules.max_age)]
        if not age >= -self._rules.max_future:
            return [violation(ViolationKind.FUTURE, clock, -age, self._rules.max_future)]
        if self._last is not None and not self._order(chunk) > self._last:
            return [violation(ViolationKind.REPLAYED, '', age, self._rules.max_age)]
        return []

    def _place(self, chunk: Chunk, measured: np.ndarray | None) -> list[Violation]:
        if measured is None or not np.isfinite(measured).all():
            return [violation(ViolationKind.STATE_STALE)]
        joints, positions = chunk.joints, chunk.positions
        low, high = self._low[joints], self._high[joints]
        inside = (positions >= low) & (positions <= high)
        if not inside.all():
            found = []
            for column in np.flatnonzero(~inside.all(axis=0))[:8]:
                value = positions[~inside[:, column], column][0]
                limit = high[column] if value > high[column] else low[column]
                found.append(
                    violation(ViolationKind.IMPLAUSIBLE, self._names[joints[column]], value, limit)
                )
            return found
        if chunk.velocities is not None:
            speed = np.abs(chunk.velocities).max(axis=0)
            bound = MAX_VELOCITY_RATIO * self._velocity[joints]
            if not (speed <= bound).all():
                return [
                    violation(
                        ViolationKind.IMPLAUSIBLE,
                        self._names[joints[column]],
                        speed[column],
                        bound[column],
                    )
                    for column in np.flatnonzero(~(speed <= bound))[:8]
                ]
        step = np.abs(positions[0] - measured[joints])
        bound = self._rules.max_first_step + self._velocity[joints] * chunk.times[0]
        return [
            violation(
                ViolationKind.IMPLAUSIBLE, self._names[joints[column]], step[column], bound[column]
            )
            for column in np.flatnonzero(~(step <= bound))[:8]
        ]
