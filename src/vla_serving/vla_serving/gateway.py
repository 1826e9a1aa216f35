# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Requests to an engine: admission, time limit, one retry, and metrics of each robot."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np

from vla_serving.admission import Admission
from vla_serving.worker import REFUSED

Ask = Callable[[dict[str, Any], int], Awaitable[dict[str, Any]]]
"""(request, priority) to the engine; raises when the worker dies."""


REMEMBERED = 1000
"""calls of a client."""


class ServingMetrics:
    """Latency and throughput of each client, over its last calls. Not thread-safe."""

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


class Gateway:
    """timeout: s for one answer, including a retry."""

    def __init__(
        self,
        ask: Ask,
        admission: Admission,
        timeout: float = 0.5,
        priorities: Mapping[str, int] | None = None,
    ) -> None:
        self._ask = ask
        self._admission = admission
        self._timeout = timeout
        self._priorities = dict(priorities or {})
        self.figures = ServingMetrics()

    async def infer(self, client: str, request: dict[str, Any]) -> dict[str, Any]:
        """Raises TooBusyError, TimeoutError, and RuntimeError for a rejected request."""
        began = time.monotonic()
        failed = True
        try:
            priority = self._priorities.get(client, 0)
            async with self._admission.entry(client, priority):
                answer = await asyncio.wait_for(self._tried(request, priority), self._timeout)
            if REFUSED in answer:
                raise RuntimeError(answer[REFUSED])
            failed = False
            return answer
        except TimeoutError:
            raise TimeoutError(f'no answer within {self._timeout:g} s') from None
        finally:
            self.figures.note(client, time.monotonic() - began, failed)

    async def _tried(self, request: dict[str, Any], priority: int) -> dict[str, Any]:
        try:
            return await self._ask(request, priority)
        except Exception:  # the engine's own types: another worker may succeed
            return await self._ask(request, priority)
