# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Statistics of `filter_cost`."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vla_common.intervals import wilson
from vla_validation.filter_cost.episodes import FREE, OBSTACLES, OFF, POLICY
from vla_validation.filter_cost.obstacles import CLEARANCES

Z = 1.959964
PERIOD = 0.01  # s, of a tick

LIMITS = {
    'success lost, no obstacles': (-1.0, 0.01),
    'success lost, obstacles with a free path': (-1.0, 0.05),
    'contacts with obstacles that the unfiltered run avoids': (0, 0),
    'commands into an obstacle': (0, 0),
    'share of nuisance stops': (0.0, 0.10),
    'deadlocks': (0, 0),
}
"""(lowest, highest), for the exit status."""


def paired_difference(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Share of the first less that of the second, with its 95 % interval: of paired proportions,
    Wald with half an observation in each cell (Agresti and Min 2005, Statistics in Medicine 24)."""
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    if not pairs:
        return 0.0, -1.0, 1.0
    n = len(pairs) + 2.0
    first, second = only_first + 0.5, only_second + 0.5
    middle = (first - second) / n
    half = Z * math.sqrt(first + second - (first - second) ** 2 / n) / n
    return (
        (only_first - only_second) / len(pairs),
        max(-1.0, middle - half),
        min(1.0, middle + half),
    )


def rate(records: Sequence[dict]) -> dict:
    """success, n and ci95 (Wilson)."""
    good = sum(record['success'] for record in records)
    low, high = wilson(good, len(records))
    share = round(good / len(records), 4) if records else None
    return {'success': share, 'n': len(records), 'ci95': [round(low, 4), round(high, 4)]}


def compare(on: Iterable[dict], off: Iterable[dict]) -> dict:
    """Success with and without, of the scenarios that both have."""
    other = {(r['seed'], r['number']): r for r in off}
    both = [(r, other[r['seed'], r['number']]) for r in on if (r['seed'], r['number']) in other]
    difference, low, high = paired_difference([(a['success'], b['success']) for a, b in both])
    return {
        'on': rate([a for a, _ in both])['success'],
        'off': rate([b for _, b in both])['success'],
        'n': len(both),
        'difference': round(difference, 4),
        'ci95_difference': [round(low, 4), round(high, 4)],
        'contacts_on': sum(a['contact_ticks'] > 0 for a, _ in both),
        'contacts_off': sum(b['contact_ticks'] > 0 for _, b in both),
        'contacts_only_on': sum(a['contact_ticks'] > 0 >= b['contact_ticks'] for a, b in both),
        'commands_into_obstacles': sum(a['least_command_m'] < 0.0 for a, _ in both),
    }


def stops(records: Sequence[dict]) -> dict:
    """Stops and nuisances; without a distance (power, support) a stop counts as neither."""
    found = [stop for record in records for stop in record['stops']]
    judged = [stop for stop in found if stop['nuisance'] is not None]
    nuisances = sum(stop['nuisance'] for stop in judged)
    hours = sum(record['ticks'] for record in records) * PERIOD / 3600.0
    return {
        'n': len(found),
        'judged': len(judged),
        'nuisance_share': round(nuisances / len(judged), 4) if judged else None,
        'nuisances_per_hour': round(nuisances / hours, 2) if hours else None,
        'nuisances_per_100_tasks': round(100 * nuisances / len(records), 2) if records else None,
        'clearance_median_m': _median([stop['clearance'] for stop in found]),
        'by_limit': dict(Counter(stop['by'].split(' ')[0].rstrip(':') for stop in found)),
    }


def ticks(records: Sequence[dict]) -> dict:
    """ms, CPU time."""
    times = np.array([t for record in records for t in record['tick_us']]) / 1e3
    if not len(times):
        return {'p50': None, 'p99': None, 'n': 0}
    p50, p99 = (round(float(np.percentile(times, p)), 4) for p in (50, 99))
    return {'p50': p50, 'p99': p99, 'n': len(times)}


def group(records: Sequence[dict]) -> dict:
    """All figures of one setting."""
    kinds: Counter[str] = Counter()
    for record in records:
        kinds.update(record['by_kind'])
    return {
        **rate(records),
        'falls': sum(record['fallen'] for record in records),
        'beyond_limits': sum(record['beyond_limits'] for record in records),
        'changed_share': _share(records, 'changed'),
        'interventions': dict(kinds.most_common()),
        'deviation_mean_rad': _median([record['deviation_mean'] for record in records]),
        'deviation_max_rad': _median([record['deviation_max'] for record in records]),
        'slowed_s': round(sum(record['slowed_s'] for record in records), 1),
        'held_s': round(sum(record['held_s'] for record in records), 1),
        'ended_by_hold': sum(bool(record['ended']) for record in records),
        'deadlocks': sum(record['deadlock'] for record in records),
        'contacts': sum(record['contact_ticks'] > 0 for record in records),
        'commands_into_obstacles': sum(record['least_command_m'] < 0.0 for record in records),
        'stops': stops(records),
        'tick_ms': ticks(records),
        'by_task': _by(records, lambda r: r['kind']),
        'by_obstacle': _by(records, lambda r: r['obstacle'] or 'none'),
        'by_clearance_m': _by(records, nearest_clearance),
    }


def nearest_clearance(record: dict) -> str:
    """The step of CLEARANCES next to a record's."""
    found = record['clearance_m']
    return f'{min(CLEARANCES, key=lambda step: abs(step - found)):g}'


def _by(records: Sequence[dict], key: Callable[[dict], str]) -> dict:
    parts: dict[str, list[dict]] = defaultdict(list)
    for record in records:
        parts[key(record)].append(record)
    return {name: rate(parts[name]) for name in sorted(parts)}


def _share(records: Sequence[dict], key: str) -> float | None:
    total = sum(record['ticks'] for record in records)
    return round(sum(record[key] for record in records) / total, 4) if total else None


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 5) if len(values) else None


def summarise(records: Sequence[dict], shipped: str, margin: float) -> dict:
    """The JSON of the command.

    Args:
        shipped: mode of the coupled limits as configured: what `on` stands for where it was
            measured.
        margin: m, `collision.margin`: an obstacle further away than this leaves a free path.
    """
    agents = list(dict.fromkeys(record['agent'] for record in records))
    modes = [m for m in dict.fromkeys(r['mode'] for r in records) if m != OFF]
    agent = POLICY if POLICY in agents else agents[0]
    mode = shipped if shipped in modes or not modes else modes[0]

    def pick(who: str, which: str, world: str) -> list[dict]:
        return [
            r for r in records
            if (r['agent'], r['mode'], r['scale'], r['world']) == (who, which, 1.0, world)
        ]  # fmt: skip

    def wide(some: list[dict]) -> list[dict]:
        return [record for record in some if record['clearance_m'] > margin]

    def both(who: str, which: str) -> dict:
        on, off = pick(who, which, OBSTACLES), pick(who, OFF, OBSTACLES)
        return {
            FREE: compare(pick(who, which, FREE), pick(who, OFF, FREE)),
            OBSTACLES: compare(wide(on), wide(off)),
            'obstacles_all': compare(on, off),
        }

    comparisons = {who: {which: both(who, which) for which in modes} for who in agents}
    filtered = [record for record in records if record['mode'] == mode]
    chosen = comparisons[agent].get(mode) or both(agent, mode)
    by_setting: dict[str, list[dict]] = defaultdict(list)
    for r in records:
        by_setting[f'{r["agent"]} {r["mode"]} {r["scale"]:g} {r["world"]}'].append(r)
    return {
        'agent': agent,
        'mode': mode,
        'success': chosen[FREE],
        'obstacles': chosen[OBSTACLES],
        'stops': stops(filtered),
        'deadlocks': sum(record['deadlock'] for record in filtered),
        'tick_ms': ticks(filtered),
        'comparisons': comparisons,
        'settings': {name: group(some) for name, some in by_setting.items()},
    }


def judged(result: dict) -> dict[str, float | None]:
    """The values that LIMITS bound."""
    success, obstacles = result['success'], result['obstacles']
    values = {
        'success lost, no obstacles': -success['difference'] if success['n'] else 0.0,
        'success lost, obstacles with a free path': -obstacles['difference'],
        'contacts with obstacles that the unfiltered run avoids': obstacles['contacts_only_on'],
        'commands into an obstacle': sum(
            part['commands_into_obstacles']
            for name, part in result['settings'].items()
            if f' {OFF} ' not in name
        ),
        'share of nuisance stops': result['stops']['nuisance_share'] or 0.0,
        'deadlocks': result['deadlocks'],
    }
    return values
