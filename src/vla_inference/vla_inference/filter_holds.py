# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Limits by which the safety filter holds a motion back, from its counters in /safety/status."""

from collections.abc import Sequence

HOLDS = (
    'position',
    'braking',
    'velocity',
    'torque',
    'collision',
    'workspace',
    'centre_of_mass',
    'proximity',
    'power',
    'unproven',
    'obstacle_stale',
    'infeasible',
)
"""Kinds of violations of a command. Shaping (acceleration, jerk, the speed scale) is everyday work,
and a rejected chunk is no limit of the motion."""
FRESH = 0.25
"""s for which a limit counts as applied: a QP at its border does not intervene in every tick."""
LONGEST_GAP = 0.2
"""s between two statuses, beyond which the time is not attributed."""


class FilterHolds:
    """Time is that of the statuses, ns; counters are since the filter's activation."""

    def __init__(self) -> None:
        self._names: Sequence[str] = ()
        self._index: tuple[tuple[str, int], ...] = ()
        self._last: tuple[int, tuple[int, ...]] | None = None
        self._newest_ns = 0
        self._applied_ns: dict[str, int] = {}
        self.begin()

    def begin(self) -> None:
        """A new instruction."""
        self._seconds: dict[str, float] = {}
        self.held_s = 0.0

    def update(self, stamp_ns: int, names: Sequence[str], values: Sequence[int]) -> None:
        """One status, the newest."""
        if names is not self._names:
            self._names, self._last = names, None
            self._index = tuple((n, i) for i, n in enumerate(names) if n in HOLDS)
        counts = tuple(int(values[i]) for _, i in self._index)
        last, self._last, self._newest_ns = self._last, (stamp_ns, counts), stamp_ns
        if last is None or stamp_ns <= last[0] or any(a < b for a, b in zip(counts, last[1])):
            return  # the first one, or of a filter that was activated again
        passed = min(1e-9 * (stamp_ns - last[0]), LONGEST_GAP)
        applied = [n for (n, _), a, b in zip(self._index, counts, last[1], strict=True) if a > b]
        for name in applied:
            self._applied_ns[name] = stamp_ns
            self._seconds[name] = self._seconds.get(name, 0.0) + passed
        if applied:
            self.held_s += passed

    @property
    def holding(self) -> tuple[str, ...]:
        """Limits that are applied now."""
        oldest = self._newest_ns - round(1e9 * FRESH)
        return tuple(n for n, _ in self._index if self._applied_ns.get(n, -1) >= max(oldest, 0))

    @property
    def held_by(self) -> tuple[str, ...]:
        """Limits that were applied in this instruction, the longest first."""
        return tuple(sorted(self._seconds, key=lambda name: -self._seconds[name]))
