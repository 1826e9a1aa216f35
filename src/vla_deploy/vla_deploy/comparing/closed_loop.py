# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A and B in the same simulated scenes: what each gets done, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_deploy.closed_loop import Paired, pair
from vla_deploy.comparing.chunks import Interval, interval
from vla_models.statistics import EpisodeOutcome


@dataclass(frozen=True)
class ClosedLoopComparison:
    """success: paired. later_s: B's time to success minus A's, over the scenes that both managed;
    None without one. tasks: kind to (A's successes, B's, scenes). falls: of A and B."""

    success: Paired
    later_s: Interval | None
    tasks: dict[str, tuple[int, int, int]]
    falls: tuple[int, int]

    def to_dict(self) -> dict:
        found = self.success
        return {
            'scenes': found.scenes,
            'a': found.before,
            'b': found.after,
            'difference': found.difference,
            'ci95': list(found.interval),
            'only_a': found.lost,
            'only_b': found.won,
            'b_no_worse': found.equal,
            'later_s': None if self.later_s is None else self.later_s.to_dict(),
            'tasks': {kind: list(counts) for kind, counts in self.tasks.items()},
            'falls': list(self.falls),
        }


def compare_closed_loop(
    a: Sequence[EpisodeOutcome], b: Sequence[EpisodeOutcome]
) -> ClosedLoopComparison:
    """Scene by scene. Raises ValueError unless they are of the same scenes."""
    if [o.task for o in a] != [o.task for o in b]:
        raise ValueError('the outcomes are of other scenes')
    tasks: dict[str, tuple[int, int, int]] = {}
    for one, other in zip(a, b, strict=True):
        x, y, n = tasks.get(one.kind, (0, 0, 0))
        tasks[one.kind] = (x + one.success, y + other.success, n + 1)
    later = [
        other.seconds - one.seconds
        for one, other in zip(a, b, strict=True)
        if one.seconds is not None and other.seconds is not None
    ]
    return ClosedLoopComparison(
        pair([o.success for o in a], [o.success for o in b]),
        interval(later) if later else None,
        tasks,
        (sum(o.fallen for o in a), sum(o.fallen for o in b)),
    )
