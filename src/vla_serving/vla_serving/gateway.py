# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The openpi protocol in front of an engine: who may ask, how long it may take, what it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from vla_serving.admission import Admission
from vla_serving.metrics import ServingMetrics
from vla_serving.worker import REFUSED

Ask = Callable[[dict[str, Any], int], Awaitable[dict[str, Any]]]
"""(request, priority) to the engine; raises when a worker dies under it."""


class Gateway:
    """timeout: s for one answer, a second try included. retries: after a worker died."""

    def __init__(
        self,
        ask: Ask,
        admission: Admission,
        timeout: float = 0.5,
        retries: int = 1,
        priorities: Mapping[str, int] | None = None,
    ) -> None:
        self._ask = ask
        self._admission = admission
        self._timeout = timeout
        self._retries = retries
        self._priorities = dict(priorities or {})
        self.figures = ServingMetrics()

    async def infer(self, client: str, request: dict[str, Any]) -> dict[str, Any]:
        """Raises TooBusyError, TimeoutError, and RuntimeError for what the worker refused."""
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
        for left in range(self._retries, -1, -1):
            try:
                return await self._ask(request, priority)
            except Exception:  # the engine's own types: whatever it is, another worker may do it
                if not left:
                    raise
        raise AssertionError
