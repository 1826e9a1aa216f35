# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks of latency: computation against its period, age of images, load."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vla_monitor.diagnosis.rows import Cause, Evidence
from vla_monitor.report.latencies import SERIES, latency_of
from vla_monitor.report.load import NotRecordedError, SessionData

Check = Callable[[SessionData, Cause], list[Evidence]]


def latency(
    name: str, label: str, node: str, parameter: str, what: str, milliseconds: bool
) -> Check:
    """A check of the p95 of a latency against `above` times a bound of the configuration.

    Args:
        name: of the latency in the summary, ms.
        label: for the operator.
        node, parameter: the bound: a time in s, or a rate in Hz, whose period it is.
        what: the bound, in words.
        milliseconds: the parameter is a time in s; False: a rate in Hz.
    """

    def check(data: SessionData, row: Cause) -> list[Evidence]:
        found = latency_of(data, name)
        if found is None or found.p95 is None:
            raise NotRecordedError(f'{name} was not recorded')
        p95, largest = found.p95, found.max or found.p95
        value = float(data.parameter(node, parameter))
        bound = 1e3 * value if milliseconds else 1e3 / value
        if not p95 > row.above * bound:
            return []
        text = f'{label}: p95 {p95:.3g} ms, max {largest:.3g} ms; {what} is {bound:.3g} ms'
        return [Evidence(text, _time_of_largest(data, name))]

    return check


def _time_of_largest(data: SessionData, name: str) -> float | None:
    series = data.series.get(SERIES[name][0])
    if series is None or not np.isfinite(series[1]).any():
        return None
    return float(series[0][int(np.nanargmax(series[1]))])


def machine_busy(data: SessionData, row: Cause) -> list[Evidence]:
    """Seconds in which all cores were used."""
    lines = [line for line in data.machine if line.get('cpu_percent') is not None]
    if len(lines) < 3:
        raise NotRecordedError('machine.jsonl has less than three lines')
    busy = [line for line in lines if line['cpu_percent'] >= 95.0]
    if len(busy) < row.above * len(lines):
        return []
    cores = (data.description.get('machine') or {}).get('cores')
    loads = [line['load'] for line in lines if line.get('load') is not None]
    text = f'all {cores or ""} cores were busy in {len(busy)} of {len(lines)} s'
    if loads:
        text += f'; load up to {max(loads):.1f}'
    return [Evidence(' '.join(text.split()), float(busy[0].get('t') or 0.0))]


def simulation_slow(data: SessionData, row: Cause) -> list[Evidence]:
    """Reports of the driver in which simulated time lagged behind."""
    series = data.series.get('real_time_factor')
    if series is None:
        raise NotRecordedError('no status of the driver in the bag')
    slow = series[1] < 0.95
    if not slow.mean() > row.above:
        return []
    text = (
        f'simulated time advanced at {series[1].min():.2f} of real time at the worst, below 0.95 '
        f'in {100.0 * slow.mean():.0f} % of the reports'
    )
    return [Evidence(text, float(series[0][int(series[1].argmin())]))]
