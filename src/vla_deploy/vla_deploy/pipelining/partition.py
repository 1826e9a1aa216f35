# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where to cut a row of blocks, so that the heaviest part is as light as it can be. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def cut(sizes: Sequence[float], parts: int) -> list[int]:
    """Index of the first block of each of `parts` parts, none of them empty; their largest sum is
    the smallest there is. Raises ValueError where there are fewer blocks than parts."""
    count = len(sizes)
    if not 1 <= parts <= count:
        raise ValueError(f'{parts} parts of {count} blocks')
    until = [0.0]
    for size in sizes:
        until.append(until[-1] + size)
    # largest[i]: of the best way to cut blocks 0…i - 1 into the number of parts at hand.
    largest = [math.inf, *until[1:]]
    begins: list[list[int]] = []
    for _ in range(parts - 1):
        rows = [_last_part(largest, until, end) for end in range(count + 1)]
        largest = [row[0] for row in rows]
        begins.append([row[1] for row in rows])
    found, end = [], count
    for row in reversed(begins):
        end = row[end]
        found.append(end)
    return [0, *reversed(found)]


def _last_part(largest: Sequence[float], until: Sequence[float], end: int) -> tuple[float, int]:
    """Where the last part of blocks 0…end - 1 begins at best, and the largest sum then."""
    choices = [(max(largest[at], until[end] - until[at]), at) for at in range(1, end)]
    return min(choices, default=(math.inf, 0))


def sums(sizes: Sequence[float], begins: Sequence[int]) -> list[float]:
    """Of each part."""
    ends = [*begins[1:], len(sizes)]
    return [sum(sizes[a:b]) for a, b in zip(begins, ends, strict=True)]


def fewest(sizes: Sequence[float], limit: float) -> int | None:
    """The smallest number of parts that are each within `limit`; None: a block alone is not."""
    parts, held = 1, 0.0
    for size in sizes:
        if size > limit:
            return None
        if held + size > limit:
            parts, held = parts + 1, 0.0
        held += size
    return parts
