# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What to look at first in a session, most severe first."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from vla_common.states import Level
from vla_monitor.report.load import SessionData

_MOST = 12


@dataclass(frozen=True)
class Finding:
    """One thing to look at. t: s of the session, or None."""

    level: Level
    text: str
    t: float | None = None


def findings_of(data: SessionData) -> list[Finding]:
    """The findings of a session; at most the twelve most severe."""
    found = [*_stops(data), *_instructions(data), *_violations(data), *_evidence(data)]
    # Of equal severity the earlier first: what follows a stop is often its consequence.
    found.sort(key=lambda f: (-f.level, math.inf if f.t is None else f.t))
    return found[:_MOST]


def _stops(data: SessionData) -> list[Finding]:
    found = []
    for event in data.events:
        if event['event'] == 'mode' and event['to'] in ('SAFE_STOP', 'ESTOP'):
            causes = event.get('causes') or []
            why = '; '.join(f'{cause["name"]}: {cause["detail"]}' for cause in causes)
            level = Level.EMERGENCY if event['to'] == 'ESTOP' else Level.DANGER
            out_of = (
                f'out of {event["from"]}' if event.get('from') else 'before the recording began'
            )
            text = f'{event["to"]} {out_of}: {why or "no cause was recorded"}'
            found.append(Finding(level, text, event['t']))
        elif event['event'] == 'balance' and (event.get('falling') or event.get('fallen')):
            what = 'The robot fell' if event.get('fallen') else 'A fall was predicted'
            found.append(Finding(Level.EMERGENCY, f'{what} ({event.get("cause")})', event['t']))
        elif event['event'] == 'driver' and event.get('fault'):
            text = f'Driver fault: {event.get("fault_detail") or "no detail"}'
            found.append(Finding(Level.EMERGENCY, text, event['t']))
        elif event['event'] == 'nodes' and event.get('missing') and event['t'] > 60.0:
            text = f'Nodes were not active: {", ".join(event["missing"])}'
            found.append(Finding(Level.WARNING, text, event['t']))
    return found


def _instructions(data: SessionData) -> list[Finding]:
    failures = (data.summary.get('instructions') or {}).get('failures') or {}
    first: dict[str, float] = {}
    for event in data.events:
        if event['event'] == 'instruction_finished' and not event.get('success'):
            first.setdefault(event.get('result', ''), event['t'])
    return [
        Finding(
            Level.WARNING,
            f'{count} instruction{"s" * (count > 1)} ended with "{result}"',
            first.get(result),
        )
        for result, count in failures.items()
    ]


def _violations(data: SessionData) -> list[Finding]:
    episodes = [event for event in data.events if event['event'] == 'violation']
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for e in episodes:
        groups.setdefault((e['source'], e['violation'], e['subject']), []).append(e)
    found = []
    for (source, kind, subject), group in groups.items():
        level = max(Level[e['level']] for e in group)
        begin = min(e['t'] for e in group)
        worst = max(group, key=lambda e: abs((e['value'] or 0.0) - (e['limit'] or 0.0)))
        seconds = sum(e['seconds'] for e in group)
        count = 'once' if len(group) == 1 else f'{len(group)} times'
        text = (
            f'{source}: {kind} {subject} {count}, {seconds:.1f} s in all; worst '
            f'{_number(worst["value"])}, limit {_number(worst["limit"])}'
        )
        found.append((level, seconds, Finding(level, ' '.join(text.split()), begin)))
    found.sort(key=lambda item: (-item[0], -item[1]))
    return [finding for _, _, finding in found[:6]]


def _evidence(data: SessionData) -> list[Finding]:
    """Where the recording itself is not complete."""
    found = [Finding(Level.WARNING, problem) for problem in data.problems]
    if data.summary.get('recovered'):
        text = 'The recorder was killed; the session ends before the robot did, and was recovered'
        found.append(Finding(Level.WARNING, text))
    recorder = data.summary.get('recorder') or {}
    for gap in recorder.get('interruptions') or []:
        until = f' until {gap["end"]:.0f} s' if 'end' in gap else ''
        found.append(Finding(Level.WARNING, f'Not recorded{until}: {gap["reason"]}', gap['t']))
    missing = Counter(
        {
            name: (topic.get('dropped') or 0) + (topic.get('lost') or 0)
            for name, topic in (data.summary.get('topics') or {}).items()
        }
    )
    if missing.total():
        worst = ', '.join(f'{name} {n}' for name, n in missing.most_common(3) if n)
        text = f'{missing.total()} messages are missing in the recording ({worst})'
        found.append(Finding(Level.WARNING, text))
    for event in data.events:
        if event['event'] == 'clock':
            text = f'The system clock jumped by {event["jump"]:.3f} s'
            found.append(Finding(Level.WARNING, text, event['t']))
    return found


def _number(value: float | None) -> str:
    return 'not finite' if value is None else f'{value:.4g}'
