# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Admission of calls: limits in all and per client, higher priorities first."""

import asyncio
import heapq
import itertools
from collections import Counter
from contextlib import asynccontextmanager


class TooBusyError(RuntimeError):
    """Rejected at once, so that the robot falls back instead of waiting."""


class Admission:
    """outstanding: calls in the engine. per_client: of one client, waiting ones included.
    patience: s that a call may wait. Used from one event loop."""

    def __init__(self, outstanding: int = 64, per_client: int = 2, patience: float = 0.2) -> None:
        self._free = outstanding
        self._per_client = per_client
        self._patience = patience
        self._clients: Counter[str] = Counter()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self.refused: Counter[str] = Counter()

    @asynccontextmanager
    async def entry(self, client: str, priority: int = 0):
        """A higher priority goes first. Raises TooBusyError."""
        if self._clients[client] >= self._per_client:
            self.refused[client] += 1
            raise TooBusyError(f'{client} has {self._per_client} calls pending')
        self._clients[client] += 1
        try:
            await self._enter(client, priority)
            try:
                yield
            finally:
                self._leave()
        finally:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    async def _enter(self, client: str, priority: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-priority, next(self._order), turn))
        try:
            await asyncio.wait_for(turn, self._patience)
        except TimeoutError:
            self.refused[client] += 1
            raise TooBusyError(f'no turn within {self._patience:g} s') from None
        except asyncio.CancelledError:
            # Its turn may have come at the same time: then it is passed on.
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
