# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks of what filter and balance monitor reported: violations by kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_common.states import Level, Mode
from vla_monitor.diagnosis.motion import in_mode
from vla_monitor.diagnosis.rows import Cause, Evidence
from vla_monitor.report.load import NotRecordedError, SessionData

MOST = 4
"""Joints or links listed for a row."""


def violations(data: SessionData, row: Cause) -> list[Evidence]:
    """Violations of the kinds of this row, where they are severe, or last.

    They last where their time is more than `above` of the time RUNNING. In ESTOP the joints are
    passive: what is violated then is no matter of the motion.
    """
    episodes = [
        event
        for event in data.events
        if event['event'] == 'violation'
        and event['violation'] in row.names
        and not in_mode(data, np.array([event['t']]), Mode.ESTOP)[0]
    ]
    seconds = sum(event['seconds'] for event in episodes)
    level = max((Level[event['level']] for event in episodes), default=Level.SAFE)
    if not episodes or (level <= Level.WARNING and seconds <= row.above * data.running):
        return []
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for e in episodes:
        groups.setdefault((e['source'], e['violation'], e['subject']), []).append(e)
    found = [_group(key, group, data.running) for key, group in groups.items()]
    found.sort(key=lambda item: (-item[1].level, -item[0]))
    return [evidence for _, evidence in found[:MOST]]


def _group(
    key: tuple[str, str, str], group: list[dict[str, Any]], running: float
) -> tuple[float, Evidence]:
    source, kind, subject = key
    worst = max(group, key=lambda e: abs((e['value'] or 0.0) - (e['limit'] or 0.0)))
    seconds = sum(e['seconds'] for e in group)
    count = 'once' if len(group) == 1 else f'{len(group)} times'
    text = (
        f'{source}: {kind} {subject} {count}, {seconds:.1f} s in all; worst '
        f'{_number(worst["value"])}, limit {_number(worst["limit"])}'
    )
    if running and source == 'safety_filter':
        text += f' ({100.0 * seconds / running:.0f} % of the time RUNNING)'
    level = max(Level[e['level']] for e in group)
    return seconds, Evidence(' '.join(text.split()), min(e['t'] for e in group), level)


def rejected(data: SessionData, row: Cause) -> list[Evidence]:
    """Chunks that the filter rejected, by kind, from its counters."""
    counters = data.summary.get('filter_counters')
    if counters is None:
        raise NotRecordedError('the counters of the filter are in summary.json, which is missing')
    found = violations(data, row)
    known = {event['violation'] for event in data.events if event['event'] == 'violation'}
    for kind in row.names:
        if (counters.get(kind) or 0) > row.above and kind not in known:
            found.append(Evidence(f'safety_filter: {kind} {counters[kind]} times'))
    return found


def interventions(data: SessionData, row: Cause) -> list[Evidence]:
    """Share of the ticks of RUNNING in which the command was changed."""
    count = data.summary.get('interventions')
    if count is None:
        raise NotRecordedError('the count is in summary.json, which is missing')
    if not data.running:
        return []
    rate = float(data.parameter('safety_filter', 'control_frequency'))
    share = count / (rate * data.running)
    if not share > row.above:
        return []
    text = (
        f'{count} ticks were changed, {100.0 * share:.0f} % of the {data.running:.1f} s RUNNING '
        f'at {rate:g} Hz'
    )
    return [Evidence(text)]


def _number(value: float | None) -> str:
    return 'not finite' if value is None else f'{value:.4g}'
