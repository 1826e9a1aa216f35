# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Batches of waiting requests: a free worker takes all that have arrived while it was busy.

No request waits for a batch to fill: with a free worker it is sent alone, so batches cost a single
robot nothing and grow with the load. An engine's own batching waits a fixed time, forms its batch
before the worker is free, and needs one call of the engine per request; here it is one per batch.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Request = dict[str, Any]
Run = Callable[[Sequence[Request]], Awaitable[Sequence[Request]]]
"""A batch to a worker; raises when the worker dies."""

AHEAD = 2
"""Pending batches per worker: one in work, one in transit."""


class Batches:
    """size: requests at most in a batch. workers: number of running ones. limit: s after which a
    batch is given up, so that a hung worker holds no place. Used from one event loop."""

    def __init__(self, run: Run, size: int, workers: Callable[[], int], limit: float = 2.0) -> None:
        self._run = run
        self._size = size
        self._workers = workers
        self._limit = limit
        self._waiting: list[tuple[int, int, Request, asyncio.Future[Request]]] = []
        self._order = itertools.count()
        self._out: set[asyncio.Task[None]] = set()
        self.sizes: dict[int, int] = {}
        """How many batches of each size there were."""

    async def ask(self, request: Request, priority: int = 0) -> Request:
        """A higher priority goes first. Raises what the engine raises for the batch."""
        answer: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-priority, next(self._order), request, answer))
        self._send()
        return await answer

    def _send(self) -> None:
        while len(self._out) < AHEAD * max(1, self._workers()):
            batch: list[tuple[Request, asyncio.Future[Request]]] = []
            while self._waiting and len(batch) < self._size:
                _, _, request, answer = heapq.heappop(self._waiting)
                if not answer.done():  # else its asker has given up
                    batch.append((request, answer))
            if not batch:
                return
            self.sizes[len(batch)] = self.sizes.get(len(batch), 0) + 1
            task = asyncio.get_running_loop().create_task(self._ask(batch))
            self._out.add(task)
            task.add_done_callback(self._on_answer)

    async def _ask(self, batch: list[tuple[Request, asyncio.Future[Request]]]) -> None:
        try:
            answers = await asyncio.wait_for(
                self._run([request for request, _ in batch]), self._limit
            )
            if len(answers) != len(batch):
                raise RuntimeError(f'{len(answers)} answers for {len(batch)} requests')
        except Exception as error:  # the engine's own types; each asker decides what to do
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), found in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(found)

    def _on_answer(self, task: asyncio.Task[None]) -> None:
        self._out.discard(task)
        if not task.cancelled():
            self._send()
