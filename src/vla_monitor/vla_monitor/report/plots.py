# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The report's plots, as PNG."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vla_monitor.report.load import SessionData

# Distinguishable with any colour vision (Okabe and Ito 2008).
COLORS = {
    'INACTIVE': '#999999', 'READY': '#56b4e9', 'RUNNING': '#009e73', 'SAFE_STOP': '#e69f00',
    'ESTOP': '#d55e00',
}  # fmt: skip
_LATENCIES = {
    'policy_call_ms': 'policy call', 'filter_tick_ms': 'filter tick',
    'driver_loop_ms': 'driver loop',
}  # fmt: skip
_POINTS = 1500


def plots_of(data: SessionData) -> list[tuple[str, bytes]]:
    """Title and PNG of each plot for which the session has numbers."""
    made: list[tuple[str, bytes]] = []
    for title, height, draw in (
        ('Timeline', 2.4, timeline),
        ('Latencies', 3.0, _latencies),
        ('Joints against their limits', 0.0, _joints),
        ('Balance: margin of the capture point', 2.2, _balance),
        ('Speed scale', 1.6, _speed_scale),
        ('Processor of the machine', 1.8, _processor),
    ):
        rows = len(data.joints)
        figure = Figure(figsize=(10.5, height or 1.2 + 0.19 * rows), layout='tight')
        axes = figure.subplots()
        if draw(axes, data):
            if draw is not _joints and data.duration:
                axes.set_xlim(0.0, data.duration)
            made.append((title, png_of(figure)))
    return made


def png_of(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = BytesIO()
    figure.savefig(buffer, format='png', dpi=100)
    return buffer.getvalue()


def _decimated(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most 2 · _POINTS points: the extremes of each interval, so that a spike stays."""
    if len(times) <= 2 * _POINTS:
        return times, values
    kept = []
    for part in np.array_split(np.arange(len(times)), _POINTS):
        inner = values[part]
        kept += sorted({int(part[np.nanargmin(inner)]), int(part[np.nanargmax(inner)])})
    return times[kept], values[kept]


def _series(data: SessionData, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    found = data.series.get(name)
    if found is None or not np.isfinite(found[1]).any():
        return None
    finite = np.isfinite(found[1])
    return _decimated(found[0][finite], found[1][finite])


def _spans(
    events: list[dict[str, Any]], kind: str, key: str, end: float
) -> list[tuple[float, float, str]]:
    """(begin, duration, value) of a state, s."""
    rows = [(event['t'], str(event.get(key))) for event in events if event['event'] == kind]
    ends = [t for t, _ in rows[1:]] + [end]
    return [(t, max(until - t, 0.0), value) for (t, value), until in zip(rows, ends, strict=True)]


def timeline(axes: Axes, data: SessionData) -> bool:
    """Modes, filter, instructions and violations over time; whether there was anything."""
    if not data.events:
        return False
    end = data.duration or data.events[-1]['t']
    for begin, length, mode in _spans(data.events, 'mode', 'to', end):
        axes.broken_barh([(begin, length)], (2.1, 0.8), facecolors=COLORS.get(mode, '#cccccc'))
        if length > 0.06 * end:
            axes.text(begin + length / 2, 2.5, mode, ha='center', va='center', fontsize=8)
    shades = {'TRACKING': '#009e73', 'BRAKING': '#f0e442', 'INFEASIBLE': '#d55e00'}
    for begin, length, state in _spans(data.events, 'filter', 'state', end):
        axes.broken_barh([(begin, length)], (1.1, 0.8), facecolors=shades.get(state, '#dddddd'))
    begun: float | None = None
    for event in data.events:
        if event['event'] == 'instruction':
            begun = event['t']
        elif event['event'] == 'instruction_finished' and begun is not None:
            shade = '#009e73' if event.get('success') else '#cc79a7'
            axes.broken_barh([(begun, event['t'] - begun)], (0.1, 0.8), facecolors=shade)
            begun = None
        elif event['event'] == 'violation':
            severe = event.get('level') in ('DANGER', 'EMERGENCY')
            axes.plot(event['t'], 3.15, '|', color='#d55e00' if severe else '#e69f00')
    if begun is not None:
        axes.broken_barh([(begun, end - begun)], (0.1, 0.8), facecolors='#cccccc')
    axes.set_yticks([0.5, 1.5, 2.5, 3.15], ['instruction', 'filter', 'mode', 'violations'])
    axes.set_xlabel('s')
    return True


def _latencies(axes: Axes, data: SessionData) -> bool:
    drawn = False
    for name, label in _LATENCIES.items():
        if (found := _series(data, name)) is not None:
            axes.plot(*found, linewidth=0.8, label=label)
            drawn = True
    if (delay := _series(data, 'observation_to_chunk')) is not None:
        axes.plot(delay[0], 1e3 * delay[1], linewidth=0.8, label='observation to chunk')
        drawn = True
    if drawn:
        axes.set_yscale('log')
        axes.set_ylabel('ms')
        axes.set_xlabel('s')
        axes.grid(alpha=0.3)
        axes.legend(ncols=4, fontsize=8)
    return drawn


def _joints(axes: Axes, data: SessionData) -> bool:
    rows = [(name, used) for name, used in data.joints.items() if name in data.limits]
    rows = [(n, u) for n, u in rows if data.limits[n].upper > data.limits[n].lower]
    if not rows:
        return False
    for row, (name, used) in enumerate(rows):
        limit = data.limits[name]

        def part(value: float, lower: float = limit.lower, upper: float = limit.upper) -> float:
            return (value - lower) / (upper - lower)

        low, high = part(used.lowest), part(used.highest)
        near = low < 0.03 or high > 0.97
        axes.barh(row, high - low, left=low, height=0.6, color='#d55e00' if near else '#56b4e9')
        if math.isfinite(used.commanded_lowest):
            ends = [part(used.commanded_lowest), part(used.commanded_highest)]
            axes.plot(ends, [row, row], color='black', linewidth=1.0, marker='|', markersize=7)
    axes.axvline(0.0, color='black', linewidth=1.2)
    axes.axvline(1.0, color='black', linewidth=1.2)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel(
        'share of the range between the limits: measured (bar), commanded (line); without ESTOP'
    )
    return True


def _balance(axes: Axes, data: SessionData) -> bool:
    found = _series(data, 'balance_margin')
    if found is None:
        return False
    axes.plot(*found, linewidth=0.8)
    axes.axhline(0.0, color='#d55e00', linewidth=1.0)
    axes.set_ylabel('m')
    axes.set_xlabel('s')
    axes.grid(alpha=0.3)
    return True


def _speed_scale(axes: Axes, data: SessionData) -> bool:
    found = _series(data, 'speed_scale')
    if found is None:
        return False
    axes.step(*found, where='post', linewidth=1.0)
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlabel('s')
    axes.grid(alpha=0.3)
    return True


def _processor(axes: Axes, data: SessionData) -> bool:
    rows = [line for line in data.machine if line.get('kind') == 'machine']
    if len(rows) < 2:
        return False
    times = np.array([line['t'] for line in rows])
    axes.plot(times, [line['cpu_percent'] for line in rows], linewidth=1.0, label='all cores, %')
    own = np.diff([line['recorder_cpu_s'] for line in rows]) / np.maximum(np.diff(times), 1e-3)
    axes.plot(times[1:], 100.0 * own, linewidth=1.0, label='recorder, % of one core')
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel('s')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return True
