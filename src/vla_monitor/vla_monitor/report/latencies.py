# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Latencies of a session, from its summary and its bag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_monitor.report.load import SessionData

SERIES = {
    'observation_to_chunk_ms': ('observation_to_chunk', 1e3),
    'policy_call_ms': ('policy_call_ms', 1.0),
    'model_ms': ('model_ms', 1.0),
    'observation_age_ms': ('observation_age', 1e3),
    'filter_tick_ms': ('filter_tick_ms', 1.0),
    'chunk_age_ms': ('chunk_age', 1e3),
    'driver_loop_ms': ('driver_loop_ms', 1.0),
}
"""Series of the latencies of the summary, and ms of their unit."""
PARTS = 10
FEWEST = 5
"""Values in a part; with less than three parts no range is given."""


@dataclass(frozen=True)
class Latency:
    """A latency of a session, ms. low, high: of the p95 of its parts in time, None if unknown."""

    p50: float | None
    p95: float | None
    max: float | None
    n: int
    low: float | None = None
    high: float | None = None


def latency_of(data: SessionData, name: str) -> Latency | None:
    """A latency of the summary, with what its series adds; None where there is neither."""
    known = (data.summary.get('latencies') or {}).get(name) or {}
    series, scale = SERIES.get(name, ('', 1.0))
    values = _values(data.series.get(series), scale)
    if not known.get('n'):
        if not len(values):
            return None
        known = {
            'p95': float(np.percentile(values, 95)), 'max': float(values.max()), 'n': len(values)
        }  # fmt: skip
    p50 = known.get('p50')
    if p50 is None and len(values):
        p50 = float(np.median(values))
    low, high = _range_of_parts(values)
    return Latency(p50, known.get('p95'), known.get('max'), known['n'], low, high)


def _values(series: tuple[np.ndarray, np.ndarray] | None, scale: float) -> np.ndarray:
    if series is None:
        return np.zeros(0)
    values = series[1][np.isfinite(series[1]) & (series[1] >= 0.0)]  # below 0: not known
    return scale * values


def _range_of_parts(values: np.ndarray) -> tuple[float | None, float | None]:
    """Lowest and highest p95 of the parts. Values in sequence depend on each other: an interval
    for independent ones would be far too narrow."""
    parts = min(PARTS, len(values) // FEWEST)
    if parts < 3:
        return None, None
    found = [float(np.percentile(part, 95)) for part in np.array_split(values, parts)]
    return min(found), max(found)
