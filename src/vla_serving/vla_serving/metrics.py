# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Latency and throughput of each robot, over the last calls."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Any

import numpy as np

REMEMBERED = 1000


class ServingMetrics:
    """Not thread-safe; the server's event loop has it."""

    def __init__(self, now=time.monotonic) -> None:
        self._now = now
        self._calls: dict[str, deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=REMEMBERED)
        )
        self._errors: dict[str, int] = defaultdict(int)

    def note(self, client: str, seconds: float, failed: bool) -> None:
        if failed:
            self._errors[client] += 1
        else:
            self._calls[client].append((self._now(), seconds))

    def table(self) -> dict[str, dict[str, Any]]:
        """client -> calls, errors, rate_hz, p50_ms, p99_ms."""
        rows = {}
        for client in sorted({*self._calls, *self._errors}):
            calls = self._calls.get(client, ())
            took = [1e3 * seconds for _, seconds in calls]
            span = self._now() - calls[0][0] if calls else 0.0
            rows[client] = {
                'calls': len(calls),
                'errors': self._errors.get(client, 0),
                'rate_hz': round(len(calls) / span, 2) if span > 0.0 else 0.0,
                'p50_ms': round(float(np.percentile(took, 50)), 2) if took else -1.0,
                'p99_ms': round(float(np.percentile(took, 99)), 2) if took else -1.0,
            }
        return rows
