# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks of a robot that does not respond: nodes, modes, instructions that begin nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np

from vla_common.states import Mode
from vla_monitor.diagnosis.motion import in_mode, spans
from vla_monitor.diagnosis.rows import Cause, Evidence
from vla_monitor.report.load import NotRecordedError, SessionData

REFUSED = 'refused'
_START_UP = 60.0
"""s in which nodes may still be configuring."""


def nodes_missing(data: SessionData, row: Cause) -> list[Evidence]:
    """Managed nodes that were not active after the start, or still not at the end."""
    if not any(event['event'] == 'mode' for event in data.events):
        raise NotRecordedError('no state of the supervisor was recorded')
    found: dict[str, tuple[float, float, str]] = {}
    for begin, end, event in spans(data, 'nodes', 'missing'):
        if end <= _START_UP and end < data.duration:
            continue
        for text in event['missing']:
            node, _, why = text.partition(':')
            seconds, first, _ = found.get(node, (0.0, begin, ''))
            found[node] = (seconds + end - begin, first, why.strip())
    return [
        Evidence(f'{node} was not active for {seconds:.1f} s: {why or "no reason"}', first)
        for node, (seconds, first, why) in found.items()
        if seconds > row.above
    ]


def not_armed(data: SessionData, row: Cause) -> list[Evidence]:
    """INACTIVE although all nodes are active: nobody armed, or something is required first."""
    found = []
    for begin, end, event in spans(data, 'mode', 'to'):
        if event['to'] != Mode.INACTIVE.name or end - begin <= row.above:
            continue
        causes = [
            f'{cause["name"]} ({cause["detail"]})'
            for cause in _causes(data, begin, end)
            if not cause['name'].startswith('node_')
        ]
        if causes or event.get('armed') is False:
            why = '; '.join(causes) or 'not armed'
            found.append(Evidence(f'mode INACTIVE for {end - begin:.1f} s: {why}', begin))
    return found


def _causes(data: SessionData, begin: float, end: float) -> list[dict]:
    known = {}
    for event in data.events:
        if event['event'] == 'cause' and begin <= event['t'] < end:
            known[event['name']] = event
    return list(known.values())


def stop_latched(data: SessionData, row: Cause) -> list[Evidence]:
    """Time in a stop."""
    found = []
    for begin, end, event in spans(data, 'mode', 'to'):
        if event['to'] in (Mode.SAFE_STOP.name, Mode.ESTOP.name) and end - begin > row.above:
            until = ', until the end of the session' if end >= data.duration - 0.1 else ''
            text = f'mode {event["to"]} for {end - begin:.1f} s{until}: nothing moves in it'
            found.append(Evidence(text, begin))
    return found


def refused(data: SessionData, row: Cause) -> list[Evidence]:
    """Instructions that were refused, by the reason."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[float, str]] = {}
    for event in data.events:
        result = str(event.get('result') or '')
        if event['event'] == 'instruction_finished' and result.startswith(REFUSED):
            counts[result] += 1
            first.setdefault(result, (event['t'], event.get('instruction', '')))
    return [
        Evidence(f'"{first[result][1]}" {result}' + f' ({n} times)' * (n > 1), first[result][0])
        for result, n in counts.most_common()
    ]


def policy_blocked(data: SessionData, row: Cause) -> list[Evidence]:
    """Time in which the inference node could not run the policy."""
    if not any(event['event'] == 'inference' for event in data.events):
        raise NotRecordedError('no status of the inference node was recorded')
    seconds: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], float] = {}
    for begin, end, event in spans(data, 'inference', 'state'):
        if event['state'] in ('BLOCKED', 'FALLBACK', 'UNLOADED'):
            # Numbers in a reason count up; the words are the reason.
            key = (event['state'], event.get('reason', '').partition('(')[0].strip())
            seconds[key] += end - begin  # type: ignore[assignment]
            first.setdefault(key, begin)
    return [
        Evidence(f'inference {state} for {s:.1f} s: {why or "no reason"}', first[state, why])
        for (state, why), s in seconds.items()
        if s > row.above
    ]


def never_started(data: SessionData, row: Cause) -> list[Evidence]:
    """Instructions that were accepted, not refused, and never came to RUNNING."""
    found = []
    begun: tuple[float, str] | None = None
    for event in data.events:
        if event['event'] == 'instruction':
            begun = event['t'], event['instruction']
        elif event['event'] == 'instruction_finished' and begun is not None:
            at = np.arange(begun[0], event['t'] + 0.05, 0.02)
            result = str(event.get('result') or '')
            if not in_mode(data, at).any() and not result.startswith(REFUSED):
                text = f'"{begun[1]}" never came to RUNNING and ended with "{result}"'
                found.append(Evidence(text, begun[0]))
            begun = None
    return found


def no_images(data: SessionData, row: Cause) -> list[Evidence]:
    """Cameras of the policy without images."""
    topics = data.summary.get('topics')
    if not topics:
        raise NotRecordedError('the summary, which counts the topics, is missing')
    settings = data.description.get('parameters') or {}
    if settings.get('images') == 'none':
        raise NotRecordedError('recorded with images:=none')
    wanted = data.parameter('inference', 'cameras.color') or []
    return [
        Evidence(f'no image on {name} was recorded')
        for name in wanted
        if not (topics.get(name) or {}).get('messages')
        and not any((data.folder / 'video').glob(f'{name.strip("/").replace("/", "_")}*.mkv'))
    ]
