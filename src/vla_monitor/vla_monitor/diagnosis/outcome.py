# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks of task success, of stops, and of what the recording lacks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from vla_common.intervals import wilson
from vla_common.states import Level, Mode
from vla_monitor.diagnosis.motion import in_mode
from vla_monitor.diagnosis.response import REFUSED
from vla_monitor.diagnosis.rows import Cause, Evidence
from vla_monitor.report.facts import is_ordinary_end
from vla_monitor.report.load import NotRecordedError, SessionData

# -- success -----------------------------------------------------------------------------------


def failures(data: SessionData, row: Cause) -> list[Evidence]:
    """Instructions that failed with a result of this row (`names`: beginnings, of one row only)."""
    work = data.summary.get('instructions') or {}
    count = work.get('finished') or 0
    if not count:
        raise NotRecordedError('no instruction ended in this session')
    low, high = wilson(work.get('successes') or 0, count)
    rate = (
        f'; done: {work.get("successes") or 0} of {count}, so {100.0 * low:.0f} to '
        f'{100.0 * high:.0f} % (95 %)'
    )
    first: dict[str, float] = {}
    for event in data.events:
        if event['event'] == 'instruction_finished' and not event.get('success'):
            first.setdefault(event.get('result', ''), event['t'])
    return [
        Evidence(
            f'{n} instruction{"s" * (n > 1)} ended with "{result}"{rate}', first.get(result)
        )
        for result, n in (work.get('failures') or {}).items()
        if _family(result) == row.key
    ]  # fmt: skip


def _family(result: str) -> str:
    """Key of the row of a result. Refusals are another symptom: nothing moved."""
    for key, words in FAMILIES.items():
        if any(word in result for word in words):
            return key
    return 'other_failure'


FAMILIES = {
    'refused': (REFUSED,),
    'held_by_filter': ('held by the safety filter',),
    'lost_again': ('lost again',),
    'time_limit': ('time limit',),
    'not_possible': ('in view', 'out of reach'),
    'stopped': ('ESTOP', 'SAFE_STOP', 'stopped:', 'mode '),
}
"""Words of results by row; the first that fits."""


def unsure(data: SessionData, row: Cause) -> list[Evidence]:
    """Low confidence of the policy."""
    known = [
        (step['t'], step['confidence'])
        for step in data.steps
        if (step.get('confidence') or -1.0) >= 0.0
    ]
    if not known:
        raise NotRecordedError('the policy reports no confidence')
    values = np.array([value for _, value in known])
    if np.median(values) >= row.above:
        return []
    text = f'confidence {np.median(values):.2f} (median), at least {values.min():.2f}'
    return [Evidence(text, known[int(values.argmin())][0])]


# -- stops -------------------------------------------------------------------------------------


def stops(data: SessionData, row: Cause) -> list[Evidence]:
    """Stops whose first known cause is one of this row (`names`: beginnings of causes)."""
    if not any(event['event'] == 'mode' for event in data.events):
        raise NotRecordedError('no state of the supervisor was recorded')
    found = []
    for event in data.events:
        if event['event'] != 'mode' or event['to'] not in ('SAFE_STOP', 'ESTOP'):
            continue
        causes = event.get('causes') or []
        names = [cause['name'] for cause in causes]
        if is_ordinary_end(event):
            continue
        if row_of_stop(names) != row.key:
            continue
        why = '; '.join(f'{cause["name"]}: {cause["detail"]}' for cause in causes)
        level = Level.EMERGENCY if event['to'] == 'ESTOP' else Level.DANGER
        out_of = f'out of {event["from"]}' if event.get('from') else 'before the recording began'
        text = f'{event["to"]} {out_of}: {why or "no cause was recorded"}'
        found.append(Evidence(text, event['t'], level))
    return found


def falls(data: SessionData, row: Cause) -> list[Evidence]:
    """Falls, predicted ones, and stops by the balance."""
    found = stops(data, row)
    for event in data.events:
        if event['event'] == 'balance' and (event.get('falling') or event.get('fallen')):
            what = 'The robot fell' if event.get('fallen') else 'A fall was predicted'
            passive = in_mode(data, np.array([event['t']]), Mode.ESTOP)[0]
            after = ', in ESTOP, with passive joints' if passive else ''
            text = f'{what} ({event.get("cause")}){after}'
            found.append(Evidence(text, event['t'], Level.EMERGENCY))
    return found


def driver_faults(data: SessionData, row: Cause) -> list[Evidence]:
    """Faults that the driver reports, and stops by them."""
    found = stops(data, row)
    for event in data.events:
        if event['event'] == 'driver' and event.get('fault'):
            text = f'Driver fault: {event.get("fault_detail") or "no detail"}'
            found.append(Evidence(text, event['t'], Level.EMERGENCY))
    return found


STOP_CAUSES = {
    'stop_failed': ('stop_not_',),
    'operator': ('estop_request', 'estop_endpoint', 'operator_stop'),
    'endpoint_silent': ('endpoint_lost', 'endpoint_required'),
    'fall': ('fall', 'balance_'),
    'driver': ('driver_', 'command_stale', 'node_lost:hardware', 'node_stale:hardware'),
    'sensors': ('imu_', 'joint_velocity_', 'foot_force_', 'following_error'),
    'camera_silent': ('camera_frozen', 'node_stale:camera', 'node_lost:camera'),
    'policy': ('policy_', 'chunks_stopped', 'node_stale:inference', 'node_lost:inference'),
    'filter': ('filter_',),
    'node': ('node_',),
    'host': ('supervisor_stalled', 'clock_invalid', 'duplicate_publisher'),
}
"""Beginnings of the supervisor's causes by row; the first that fits."""


def row_of_stop(names: list[str]) -> str:
    """Key of the row for a stop with these causes, in the order of the supervisor."""
    for name in names:
        for key, beginnings in STOP_CAUSES.items():
            if name.startswith(beginnings):
                return key
    return 'other_stop'


# -- the recording -----------------------------------------------------------------------------


def problems(data: SessionData, row: Cause) -> list[Evidence]:
    """What could not be read."""
    found = [Evidence(problem) for problem in data.problems]
    if data.summary.get('recovered'):
        text = 'The recorder was killed; the session ends before the robot did, and was recovered'
        found.append(Evidence(text))
    return found


def interruptions(data: SessionData, row: Cause) -> list[Evidence]:
    """Times in which nothing was recorded."""
    recorder: dict[str, Any] = data.summary.get('recorder') or {}
    found = []
    for gap in recorder.get('interruptions') or []:
        until = f' until {gap["end"]:.0f} s' if 'end' in gap else ''
        found.append(Evidence(f'Not recorded{until}: {gap["reason"]}', gap['t']))
    return found


def messages_missing(data: SessionData, row: Cause) -> list[Evidence]:
    """Messages that the recorder or the middleware dropped."""
    missing = Counter(
        {
            name: (topic.get('dropped') or 0) + (topic.get('lost') or 0)
            for name, topic in (data.summary.get('topics') or {}).items()
        }
    )
    if not missing.total():
        return []
    worst = ', '.join(f'{name} {n}' for name, n in missing.most_common(3) if n)
    return [Evidence(f'{missing.total()} messages are missing in the recording ({worst})')]


def clock_jumps(data: SessionData, row: Cause) -> list[Evidence]:
    """Jumps of the system clock: times before and after do not compare."""
    return [
        Evidence(f'The system clock jumped by {event["jump"]:.3f} s', event['t'])
        for event in data.events
        if event['event'] == 'clock' and 'jump' in event
    ]
