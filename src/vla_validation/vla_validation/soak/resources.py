# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Memory, threads, descriptors and shared segments of processes, and their growth."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Usage:
    """Of one process. resident: bytes."""

    pid: int
    resident: int
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Sample:
    """Of all nodes. time: steady, s; shared: bytes of the shared segments that they have mapped."""

    time: float
    usage: Mapping[str, Usage]
    shared: int


def sample(pids: Mapping[str, int], time: float) -> Sample:
    """Read it now. Raises ProcessLookupError: a process has ended."""
    usage, segments = {}, {}
    try:
        for name, pid in pids.items():
            process = psutil.Process(pid)
            with process.oneshot():
                resident, threads = process.memory_info().rss, process.num_threads()
            usage[name] = Usage(pid, resident, threads, process.num_fds())
            segments |= shared_segments(pid)
    except (psutil.NoSuchProcess, FileNotFoundError) as error:
        raise ProcessLookupError(str(error)) from error
    return Sample(time, usage, sum(segments.values()))


def shared_segments(pid: int) -> dict[str, int]:
    """Size (bytes) of each segment of /dev/shm that a process has mapped, by its path."""
    found = {}
    with open(f'/proc/{pid}/maps', encoding='utf-8') as maps:
        for line in maps:
            _, at, name = line.partition('/dev/shm/')
            if at and not name.endswith('(deleted)\n'):
                path = f'{at}{name.strip()}'
                try:
                    found[path] = os.stat(path).st_size
                except FileNotFoundError:
                    continue
    return found


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Change per second: the median of the slopes between all pairs (Theil and Sen).

    Unlike that of a fitted line, memory that is soon returned does not count.
    """
    t, v = np.asarray(times, float), np.asarray(values, float)
    later, earlier = np.triu_indices(len(t), 1)[::-1]
    return float(np.median((v[later] - v[earlier]) / (t[later] - t[earlier])))


def growth(samples: Sequence[Sample], settle: float) -> dict[str, Any]:
    """What grew after the first `settle` s: MB/h by node, and how many or MB more at the end.

    Raises ValueError: fewer than 6 samples after that time.
    """
    begin = samples[0].time if samples else 0.0
    kept = [s for s in samples if s.time >= begin + settle]
    if len(kept) < 6:
        raise ValueError(f'{len(kept)} samples after {settle:g} s, wanted 6')
    times = [s.time for s in kept]
    window = max(1, len(kept) // 10)

    def more(values: Sequence[int]) -> float:
        """Of the last tenth than of the first: the smallest values, without what is temporary."""
        return min(values[-window:]) - min(values[:window])

    names = kept[0].usage
    return {
        'growth_mb_per_h': {
            name: round(3600 * slope(times, [s.usage[name].resident for s in kept]) / MEBIBYTE, 2)
            for name in names
        },
        'threads': int(sum(more([s.usage[name].threads for s in kept]) for name in names)),
        'descriptors': int(sum(more([s.usage[name].descriptors for s in kept]) for name in names)),
        'shm_mb': round(more([s.shared for s in kept]) / MEBIBYTE, 3),
    }


def failures(result: Mapping[str, Any], limit: float) -> list[str]:
    """What grew more than it may, in words. limit: MB/h of each node."""
    found = [
        f'{name} grew by {rate:.2f} MB/h, wanted <= {limit:g}'
        for name, rate in result['growth_mb_per_h'].items()
        if not rate <= limit
    ]
    for key, what in (
        ('threads', 'threads'),
        ('descriptors', 'descriptors'),
        ('shm_mb', 'MB of shared segments'),
    ):
        if not result[key] <= 0:
            found.append(f'{result[key]:g} more {what} at the end, wanted none')
    return found
