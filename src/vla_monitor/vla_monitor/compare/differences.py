# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What differs between two sessions, how much, and whether their numbers are enough to tell."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from vla_common.intervals import difference_of_shares, rate, rates_differ, wilson
from vla_monitor.report.facts import SessionFacts, facts_of
from vla_monitor.report.latencies import SERIES, Latency, latency_of
from vla_monitor.report.load import NotRecordedError, SessionData

ALPHA = 0.05


class Group(Enum):
    """Sections of the comparison."""

    SUCCESS = 'Success and failure modes'
    LATENCY = 'Latencies'
    INTERVENTION = 'Interventions'
    VIOLATION = 'Violations'
    STOP = 'Stops'


@dataclass(frozen=True)
class Difference:
    """A number of both sessions.

    Attributes:
        a, b: as shown, with their intervals.
        difference: B against A, in words.
        told: whether the numbers are enough to call it a difference.
        weight: size of the difference: log2 of the ratio (of odds, for shares).
        values: the numbers of A and of B.
    """

    group: Group
    name: str
    a: str
    b: str
    difference: str
    told: bool
    weight: float
    values: tuple[dict[str, Any], dict[str, Any]] = ({}, {})


def differences_of(a: SessionData, b: SessionData) -> list[Difference]:
    """All numbers of both sessions; in each group what can be told first, then by weight."""
    first, second = facts_of(a), facts_of(b)
    found = [
        *_success(first, second), *_latencies(a, b), *_interventions(a, b),
        *_violations(first, second), *_stops(first, second),
    ]  # fmt: skip
    order = list(Group)
    return sorted(found, key=lambda d: (order.index(d.group), not d.told, -d.weight))


def most(differences: list[Difference]) -> list[Difference]:
    """What can be told, by weight, over all groups."""
    return sorted((d for d in differences if d.told), key=lambda d: -d.weight)


# -- success -----------------------------------------------------------------------------------


def _success(a: SessionFacts, b: SessionFacts) -> list[Difference]:
    counts = [(facts.successes, len(facts.instructions)) for facts in (a, b)]
    found = [_share('instructions done', *counts)]
    by_text: dict[str, list[list[int]]] = defaultdict(lambda: [[0, 0], [0, 0]])
    for side, facts in enumerate((a, b)):
        for one in facts.instructions:
            by_text[one.text][side][0] += one.success
            by_text[one.text][side][1] += 1
    for text, (of_a, of_b) in by_text.items():
        if of_a[1] and of_b[1]:
            found.append(_share(f'"{text}" done', (of_a[0], of_a[1]), (of_b[0], of_b[1])))
    for mode in sorted({*a.failures, *b.failures}):
        parts = [(facts.failures[mode], len(facts.instructions)) for facts in (a, b)]
        found.append(_share(f'ended with "{mode}"', *parts))
    return [one for one in found if one is not None]


def _share(name: str, a: tuple[int, int], b: tuple[int, int]) -> Difference:
    low, high = difference_of_shares(a, b)
    told = low > 0.0 or high < 0.0
    odds = [math.log2((k + 0.5) / (n - k + 0.5)) for k, n in (a, b)]
    if not a[1] or not b[1]:
        text = 'one session has none'
    else:
        change = 100.0 * (b[0] / b[1] - a[0] / a[1])
        text = f'{change:+.0f} points ({100.0 * low:+.0f} to {100.0 * high:+.0f})'
    return Difference(
        Group.SUCCESS, name, share_text(*a), share_text(*b), text, told, abs(odds[1] - odds[0]),
        (_share_values(*a), _share_values(*b)),
    )  # fmt: skip


def _share_values(successes: int, count: int) -> dict[str, Any]:
    return {'count': successes, 'n': count, 'ci95': list(wilson(successes, count))}


def share_text(successes: int, count: int) -> str:
    """A share with its interval."""
    if not count:
        return 'none'
    low, high = wilson(successes, count)
    return f'{successes} of {count} ({100.0 * low:.0f}–{100.0 * high:.0f} %)'


def instructions_of_one(a: SessionFacts, b: SessionFacts) -> list[tuple[str, str]]:
    """(label, instruction) of those that one session has and the other has not."""
    texts = [{one.text for one in facts.instructions} for facts in (a, b)]
    return [
        *(('A', text) for text in sorted(texts[0] - texts[1])),
        *(('B', text) for text in sorted(texts[1] - texts[0])),
    ]


# -- latencies ---------------------------------------------------------------------------------


def _latencies(a: SessionData, b: SessionData) -> list[Difference]:
    names = [*(a.summary.get('latencies') or {}), *(b.summary.get('latencies') or {}), *SERIES]
    found = []
    for name in dict.fromkeys(names):
        one, two = latency_of(a, name), latency_of(b, name)
        if one is None and two is None:
            continue
        label = name.removesuffix('_ms').replace('_', ' ')
        text, told, weight = _latency_change(one, two)
        texts, values = (latency_text(one), latency_text(two)), (_plain(one), _plain(two))
        found.append(Difference(Group.LATENCY, label, *texts, text, told, weight, values))
    return found


def _plain(latency: Latency | None) -> dict[str, Any]:
    return asdict(latency) if latency else {}


def _latency_change(a: Latency | None, b: Latency | None) -> tuple[str, bool, float]:
    if a is None or b is None:
        return 'one session has none', False, 0.0
    if not a.p95 or not b.p95:
        return 'no p95', False, 0.0
    ratio = b.p95 / a.p95
    text = f'p95 × {ratio:.2f}'
    if None in (a.low, a.high, b.low, b.high):
        return f'{text}; too few values for a range', False, abs(math.log2(ratio))
    apart = b.low > a.high or b.high < a.low  # type: ignore[operator]
    text += '' if apart else '; the ranges overlap'
    return text, apart, abs(math.log2(ratio))


def latency_text(latency: Latency | None) -> str:
    """p50 / p95 / max and the range of the p95."""
    if latency is None:
        return 'none'
    numbers = ' / '.join(
        '–' if value is None else f'{value:.3g}'
        for value in (latency.p50, latency.p95, latency.max)
    )
    if latency.low is None or latency.high is None:
        return numbers
    return f'{numbers} ({latency.low:.3g}–{latency.high:.3g})'


# -- interventions, violations, stops ----------------------------------------------------------


def _interventions(a: SessionData, b: SessionData) -> list[Difference]:
    shares, texts = [], []
    for data in (a, b):
        count = data.summary.get('interventions')
        try:
            ticks = float(data.parameter('safety_filter', 'control_frequency')) * data.running
        except NotRecordedError:
            ticks = 0.0
        known = count is not None and ticks > 0
        shares.append(count / ticks if known else None)
        texts.append('not known' if not known else f'{count} ({100.0 * count / ticks:.1f} %)')
    text, weight = 'not known for one session', 0.0
    if None not in shares:
        change = 100.0 * (shares[1] - shares[0])
        text = f'{change:+.1f} points; ticks in sequence depend on each other: no interval'
        weight = abs(math.log2((shares[1] + 1e-3) / (shares[0] + 1e-3)))
    name = 'ticks changed by the filter, of the time RUNNING'
    values = [
        {'count': data.summary.get('interventions'), 'share': share}
        for data, share in zip((a, b), shares, strict=True)
    ]
    return [
        Difference(Group.INTERVENTION, name, *texts, text, False, weight, (values[0], values[1]))
    ]


def _violations(a: SessionFacts, b: SessionFacts) -> list[Difference]:
    counts = [
        Counter(f'{e["source"]}: {e["violation"]}' for e in facts.violations) for facts in (a, b)
    ]
    return [
        _rate(Group.VIOLATION, name, counts[0][name], a, counts[1][name], b)
        for name in sorted({*counts[0], *counts[1]})
    ]


def _stops(a: SessionFacts, b: SessionFacts) -> list[Difference]:
    counts = [Counter(f'{stop.mode}: {stop.cause}' for stop in facts.stops) for facts in (a, b)]
    return [
        _rate(Group.STOP, name, counts[0][name], a, counts[1][name], b)
        for name in sorted({*counts[0], *counts[1]})
    ]


def _rate(
    group: Group, name: str, n_a: int, a: SessionFacts, n_b: int, b: SessionFacts
) -> Difference:
    hours = a.running_hours, b.running_hours
    chance = rates_differ(n_a, hours[0], n_b, hours[1])
    texts = [rate_text(n, h) for n, h in zip((n_a, n_b), hours, strict=True)]
    values = _rate_values(n_a, hours[0]), _rate_values(n_b, hours[1])
    if not hours[0] or not hours[1]:
        text = 'one session was never RUNNING'
        return Difference(group, name, *texts, text, False, 0.0, values)
    ratio = ((n_b + 0.5) / hours[1]) / ((n_a + 0.5) / hours[0])
    text = f'rate × {ratio:.2g}' if n_a and n_b else 'in one session only'
    text += f' (p {chance:.2g})' if chance < ALPHA else f' (by chance: p {chance:.2g})'
    weight = abs(math.log2(ratio))
    return Difference(group, name, *texts, text, chance < ALPHA, weight, values)


def _rate_values(events: int, hours: float) -> dict[str, Any]:
    ends = list(rate(events, hours)) if hours > 0.0 else None
    return {'count': events, 'running_hours': hours, 'per_hour_ci95': ends}


def rate_text(events: int, hours: float) -> str:
    """A number of events, and the interval of their rate per hour of RUNNING."""
    if hours <= 0.0:
        return f'{events} (never RUNNING)'
    low, high = rate(events, hours)
    return f'{events} ({low:.3g}–{high:.3g} /h)'


def as_dict(difference: Difference) -> dict[str, Any]:
    """For JSON."""
    return {
        'group': difference.group.name.lower(),
        'name': difference.name,
        'a': {'text': difference.a, **difference.values[0]},
        'b': {'text': difference.b, **difference.values[1]},
        'difference': difference.difference,
        'told': difference.told,
        'log2_ratio': round(difference.weight, 3),
    }
