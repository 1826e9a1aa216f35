# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What many sessions have in common: success, failures, hours, stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vla_common.intervals import rate, wilson
from vla_common.states import Level
from vla_monitor.report.facts import SessionFacts

SLOWEST = 5
BY = 'observation_to_chunk_ms'
"""The latency that sessions are ordered by."""


@dataclass(frozen=True)
class Stretches:
    """RUNNING time without violation, h: the longest, and the one up to now."""

    longest: float
    present: float


@dataclass(frozen=True)
class StopCount:
    """Stops with the same first cause. last: name of the newest session with one."""

    mode: str
    cause: str
    count: int
    sessions: int
    last: str


@dataclass(frozen=True)
class Totals:
    """Sums over sessions. Hours are h; `severe` counts violations of DANGER and above."""

    sessions: int
    hours: float
    running_hours: float
    instructions: int
    successes: int
    failures: dict[str, int]
    violations: int
    severe: int
    without_violation: Stretches
    without_severe: Stretches
    stops: tuple[StopCount, ...]
    slowest: tuple[SessionFacts, ...]

    @property
    def success_ci95(self) -> tuple[float, float]:
        """Wilson's interval. Sessions differ: it holds for the mix of instructions that was run."""
        return wilson(self.successes, self.instructions)

    def hours_between(self, count: int) -> tuple[float | None, float, float | None]:
        """RUNNING hours per event and their 95 % interval; None: no event, so no upper end."""
        low, high = rate(count, self.running_hours)
        mean = self.running_hours / count if count else None
        return mean, 1.0 / high if high else 0.0, 1.0 / low if low else None


def totals_of(sessions: Sequence[SessionFacts]) -> Totals:
    """The totals of sessions in order of time."""
    failures: Counter[str] = Counter()
    for facts in sessions:
        failures += facts.failures
    known = [facts for facts in sessions if p95_of(facts) is not None]
    return Totals(
        sessions=len(sessions),
        hours=sum(facts.hours for facts in sessions),
        running_hours=sum(facts.running_hours for facts in sessions),
        instructions=sum(len(facts.instructions) for facts in sessions),
        successes=sum(facts.successes for facts in sessions),
        failures=dict(failures.most_common()),
        violations=sum(len(facts.violations) for facts in sessions),
        severe=sum(len(severe_of(facts)) for facts in sessions),
        without_violation=_stretches(sessions, Level.WARNING),
        without_severe=_stretches(sessions, Level.DANGER),
        stops=tuple(_stops(sessions)),
        slowest=tuple(sorted(known, key=lambda facts: -(p95_of(facts) or 0.0))[:SLOWEST]),
    )


def p95_of(facts: SessionFacts) -> float | None:
    """p95 of BY, ms."""
    return (facts.latencies.get(BY) or {}).get('p95')


def severe_of(facts: SessionFacts) -> list[dict[str, Any]]:
    """Violations of level DANGER or above."""
    return [e for e in facts.violations if Level[e['level']] >= Level.DANGER]


def _stretches(sessions: Sequence[SessionFacts], level: Level) -> Stretches:
    longest = present = 0.0
    for facts in sessions:
        since = 0.0
        for violation in sorted(facts.violations, key=lambda e: e['t']):
            if Level[violation['level']] >= level:
                at = facts.running_before(violation['t'])
                longest = max(longest, present + at - since)
                # It lasts: its own time is not without violation.
                since = facts.running_before(violation['t'] + violation['seconds'])
                present = 0.0
        present += max(0.0, facts.running_hours - since)
    return Stretches(max(longest, present), present)


def _stops(sessions: Sequence[SessionFacts]) -> list[StopCount]:
    counts: Counter[tuple[str, str]] = Counter()
    within: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], str] = {}
    for facts in sessions:
        keys = [(stop.mode, stop.cause) for stop in facts.stops]
        counts.update(keys)
        within.update(set(keys))
        last.update(dict.fromkeys(keys, facts.name))
    return [StopCount(*key, n, within[key], last[key]) for key, n in counts.most_common()]
