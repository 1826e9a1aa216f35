# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks of motion: smoothness of what was commanded, and what held it back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vla_common.states import Mode
from vla_monitor.diagnosis.rows import Cause, Evidence
from vla_monitor.report.load import NotRecordedError, SessionData


def spans(data: SessionData, kind: str, key: str) -> Iterator[tuple[float, float, dict]]:
    """(begin, end, event) of each state of a node, s. key: where the event has the state."""
    rows = [event for event in data.events if event['event'] == kind and key in event]
    ends = [event['t'] for event in rows[1:]] + [data.duration]
    for event, end in zip(rows, ends, strict=True):
        yield event['t'], max(end, event['t']), event


def in_mode(data: SessionData, times: np.ndarray, mode: Mode = Mode.RUNNING) -> np.ndarray:
    """Whether the mode was `mode` at each of `times`, by the events."""
    inside = np.zeros(len(times), bool)
    for begin, end, event in spans(data, 'mode', 'to'):
        if event['to'] == mode.name:
            end = np.inf if end >= data.duration else end
            inside |= (times >= begin) & (times < end)
    return inside


def chunks_run_out(data: SessionData, row: Cause) -> list[Evidence]:
    """Braking in RUNNING: the filter had no chunk to follow, or no command that it could prove."""
    if not any(event['event'] == 'filter' for event in data.events):
        raise NotRecordedError('no state of the safety filter was recorded')
    found = []
    for begin, end, event in spans(data, 'filter', 'state'):
        if event['state'] not in ('BRAKING', 'INFEASIBLE', 'NO_CHUNK'):
            continue
        if event['state'] == 'NO_CHUNK' and 'since the start' in event.get('reason', ''):
            continue  # each motion begins like this
        if in_mode(data, np.array([begin]))[0]:
            found.append((end - begin, begin, event))
    if not found:
        return []
    found.sort(key=lambda item: -item[0])
    seconds, begin, event = found[0]
    total = sum(item[0] for item in found)
    text = (
        f'the filter braked {len(found)} times while RUNNING, {total:.2f} s in all; longest '
        f'{seconds:.2f} s: {event.get("reason") or event["state"]}'
    )
    return [Evidence(text, begin)]


def chunks_late(data: SessionData, row: Cause) -> list[Evidence]:
    """Chunks that were past when they came."""
    series = data.series.get('late_chunks')
    if series is None or not len(series[0]):
        raise NotRecordedError('no /vla/chunk_report in the bag')
    steps = np.diff(series[1], prepend=0.0)
    late = float(steps[steps > 0].sum())  # the counter begins again with each instruction
    if not late > row.above * len(series[0]):
        return []
    text = (
        f'{late:.0f} chunks came too late to be played, beside {len(series[0])} that came in time'
    )
    return [Evidence(text, float(series[0][int(np.argmax(steps > 0))]))]


def jumps(data: SessionData, row: Cause) -> list[Evidence]:
    """Jumps of the velocity from chunk to chunk."""
    series = data.series.get('velocity_jump')
    if series is None or not len(series[0]):
        raise NotRecordedError('no /vla/chunk_report in the bag')
    p95 = float(np.nanpercentile(series[1], 95))
    if not p95 > row.above:
        return []
    at = int(np.nanargmax(series[1]))
    text = (
        f'joint velocities jump by {p95:.2f} rad/s (p95) from one chunk to the next, at most '
        f'{series[1][at]:.2f}'
    )
    return [Evidence(text, float(series[0][at]))]


def trembling(data: SessionData, row: Cause) -> list[Evidence]:
    """Joints that reverse too often to be meant."""
    if 'driver_loop_ms' not in data.series and not data.joints:
        raise NotRecordedError('no joint commands in the bag')
    found = [window for window in data.reversals if window.count > row.above]
    if not found:
        return []
    worst = max(found, key=lambda window: window.count)
    text = (
        f'{worst.joint} reversed {worst.count} times within a second; so often in {len(found)} '
        f's of {data.running:.1f} s RUNNING'
    )
    return [Evidence(text, worst.t)]


def commands_lost(data: SessionData, row: Cause) -> list[Evidence]:
    """Commands that the driver did not take, or changed, in RUNNING."""
    found = []
    for name, what in (('commands_rejected', 'rejected'), ('clamped', 'clamped')):
        series = data.series.get(name)
        if series is None:
            raise NotRecordedError('no status of the driver in the bag')
        # Not at the borders: a mode takes some milliseconds to arrive at all nodes.
        inner = in_mode(data, series[0] - 0.2) & in_mode(data, series[0] + 0.2)
        steps = np.where(inner, np.diff(series[1], prepend=series[1][0]), 0.0)
        count = float(steps[steps > 0].sum())
        if count > row.above:
            text = f'the driver {what} {count:.0f} commands or joint values while RUNNING'
            found.append(Evidence(text, float(series[0][int(steps.argmax())])))
    return found


def speed_changes(data: SessionData, row: Cause) -> list[Evidence]:
    """Changes of the supervisor's speed scale while RUNNING."""
    series = data.series.get('speed_scale')
    if series is None:
        raise NotRecordedError('no state of the supervisor in the bag')
    inside = in_mode(data, series[0])
    changed = inside[1:] & inside[:-1] & (np.abs(np.diff(series[1])) > 0.01)
    if not changed.sum() > row.above:
        return []
    at = int(np.argmax(changed)) + 1
    text = (
        f'the supervisor changed the speed {int(changed.sum())} times while RUNNING, down to '
        f'{series[1][inside].min():.2f}'
    )
    return [Evidence(text, float(series[0][at]))]


def held(data: SessionData, row: Cause) -> list[Evidence]:
    """Motion that the coupled limits held."""
    series = data.series.get('held_for')
    if series is None:
        raise NotRecordedError('no status of the safety filter in the bag')
    if not series[1].max() > row.above:
        return []
    at = int(series[1].argmax())
    t = float(series[0][at])
    around = sorted(
        {
            f'{event["violation"]} {event["subject"]}'.strip()
            for event in data.events
            if event['event'] == 'violation' and event['source'] == 'safety_filter'
            and event['t'] <= t <= event['t'] + event['seconds'] + 0.5
        }
    )  # fmt: skip
    by = f' by {", ".join(around[:3])}' if around else ''
    return [Evidence(f'the filter held the motion for {series[1][at]:.1f} s{by}', t)]


def slow(data: SessionData, row: Cause) -> list[Evidence]:
    """A low speed scale in force while RUNNING."""
    series = data.series.get('filter_speed_scale')
    if series is None:
        raise NotRecordedError('no status of the safety filter in the bag')
    inside = in_mode(data, series[0])
    if not inside.any():
        return []
    part = float((series[1][inside] < row.above).mean())
    if part < 0.5:
        return []
    stage = data.parameter('safety_filter', 'stage')
    text = (
        f'the speed scale was {np.median(series[1][inside]):.2f} in {100.0 * part:.0f} % of the '
        f'time RUNNING (stage {stage})'
    )
    return [Evidence(text, float(series[0][inside][0]))]
