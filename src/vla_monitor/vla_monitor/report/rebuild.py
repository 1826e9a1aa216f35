# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the events tell of a session that has no summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any


def summary_of_events(events: list[dict[str, Any]], others: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of a summary that follows from `events`, which are in order.

    others: further lines with `t`, for the end of the session. Latencies, interventions and topics
    are left out: events do not hold them.
    """
    end = max((float(line.get('t') or 0.0) for line in [*events, *others]), default=0.0)
    seconds: Counter[str] = Counter()
    mode, since = None, 0.0
    stops: list[dict[str, Any]] = []
    results: Counter[str] = Counter()
    policies: list[str] = []
    begun = successes = changes = 0
    violations: dict[str, dict[str, Any]] = defaultdict(
        lambda: {'episodes': 0, 'ticks': 0, 'seconds': 0.0, 'subjects': []}
    )
    for event in events:
        t, kind = float(event.get('t') or 0.0), event.get('event')
        if kind == 'mode':
            if mode is not None:
                seconds[mode] += max(0.0, t - since)  # type: ignore[assignment]
            mode, since = event['to'], t
            changes += event.get('from') is not None
            if mode in ('SAFE_STOP', 'ESTOP') and event.get('from') is not None:
                causes = [cause['name'] for cause in event.get('causes') or []]
                stops.append({'t': t, 'mode': mode, 'causes': causes})
        elif kind == 'instruction':
            begun += 1
        elif kind == 'instruction_finished':
            successes += bool(event.get('success'))
            if not event.get('success'):
                results[event.get('result', '')] += 1
        elif kind == 'inference' and event.get('policy') and event['policy'] not in policies:
            policies.append(event['policy'])
        elif kind == 'violation':
            counts = violations[event['violation']]
            counts['episodes'] += 1
            counts['ticks'] += event.get('ticks') or 0
            counts['seconds'] += event.get('seconds') or 0.0
            counts['subjects'] = sorted({*counts['subjects'], event['subject']})
    if mode is not None:
        seconds[mode] += max(0.0, end - since)  # type: ignore[assignment]
    finished = successes + results.total()
    return {
        'rebuilt': True,
        'duration': end,
        'modes': dict(seconds),
        'mode_changes': changes,
        'stops': stops,
        'instructions': {
            'begun': begun,
            'finished': finished,
            'successes': successes,
            'success_rate': successes / finished if finished else None,
            'failures': dict(results.most_common()),
        },
        'policies': policies,
        'violations': dict(violations),
    }
