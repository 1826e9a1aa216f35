# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Violations of single ticks, joined to episodes.

A joint that rests at its limit violates it in every tick; one line per tick would hide everything
else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from vla_common.states import Level

GAP_NS = 500_000_000
"""ns without it after which a violation is another one."""


@dataclass
class _Episode:
    source: str
    kind: str
    subject: str
    begin_ns: int
    last_ns: int
    value: float
    limit: float
    level: int
    ticks: int = 1

    def excess(self) -> float:
        return abs(self.value - self.limit)


class Violations:
    """Joins violations of the same kind, subject and source.

    event: called as `event(begin_ns, 'violation', **facts)` when an episode has ended; with the
    value furthest from its limit.
    """

    def __init__(self, event: Callable[..., None]) -> None:
        self._event = event
        self._open: dict[tuple[str, str, str], _Episode] = {}
        self._by_kind: dict[str, dict[str, Any]] = defaultdict(
            lambda: {'episodes': 0, 'ticks': 0, 'seconds': 0.0, 'subjects': set()}
        )

    def update(self, now_ns: int, source: str, violations: Iterable[Any]) -> None:
        """The violations of one report of `source`."""
        for v in violations:
            if v.level <= Level.SAFE:
                continue
            key = (source, v.kind, v.subject)
            found = self._open.get(key)
            if found is not None and now_ns - found.last_ns <= GAP_NS:
                found.last_ns, found.ticks = now_ns, found.ticks + 1
                found.level = max(found.level, v.level)
                if abs(v.value - v.limit) > found.excess():
                    found.value, found.limit = v.value, v.limit
                continue
            if found is not None:
                self._end(key)
            self._open[key] = _Episode(
                source, v.kind, v.subject, now_ns, now_ns, v.value, v.limit, v.level
            )
        for key, episode in list(self._open.items()):
            if now_ns - episode.last_ns > GAP_NS:
                self._end(key)

    def close(self) -> None:
        """End all open episodes."""
        for key in list(self._open):
            self._end(key)

    def _end(self, key: tuple[str, str, str]) -> None:
        e = self._open.pop(key)
        seconds = 1e-9 * (e.last_ns - e.begin_ns)
        self._event(
            e.begin_ns, 'violation', source=e.source, violation=e.kind, subject=e.subject,
            value=e.value, limit=e.limit, level=Level(min(e.level, Level.EMERGENCY)).name,
            seconds=round(seconds, 4), ticks=e.ticks,
        )  # fmt: skip
        kind = self._by_kind[e.kind]
        kind['episodes'] += 1
        kind['ticks'] += e.ticks
        kind['seconds'] += seconds
        kind['subjects'].add(e.subject)

    def summary(self) -> dict[str, dict[str, Any]]:
        """By kind: episodes, ticks, seconds, subjects."""
        return {
            kind: {**counts, 'subjects': sorted(counts['subjects'])}
            for kind, counts in sorted(self._by_kind.items())
        }
