# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What all viewers see: the newest value of each key, and nothing older.

There is no queue. A viewer that reads slowly gets what is newest when it reads, and one that reads
nothing holds one message and delays nobody.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

SLOWEST_SEND = 10.0
"""s after which a viewer that reads nothing is disconnected."""


class Feed:
    """Newest values by key. `put` from any thread, the rest in the event loop's."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, str | bytes]] = {}
        self._versions = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._woken = False
        self.viewers = 0

    def bind(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The loop of the viewers; None: it ends."""
        self._loop, self._woken = loop, False

    def put(self, key: str, content: str | bytes) -> None:
        """Replace the value of a key. A caller per key; never waits."""
        self._latest[key] = (next(self._versions), content)
        loop = self._loop
        # One wake-up at a time: a loop that is late has not a queue of them.
        if loop is not None and self.viewers and not self._woken:
            self._woken = True
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                self._loop = None  # closed

    def _wake(self) -> None:
        self._woken = False
        for event in self._waiting:
            event.set()

    async def serve(self, send: Callable[[str | bytes], Awaitable[None]]) -> None:
        """Send each new value to one viewer, until cancelled.

        Raises TimeoutError: it read nothing for SLOWEST_SEND s.
        """
        event = asyncio.Event()
        sent: dict[str, int] = {}
        self._waiting.add(event)
        self.viewers += 1
        try:
            while True:
                event.clear()
                for key in list(self._latest):
                    version, content = self._latest[key]
                    if sent.get(key) != version:
                        sent[key] = version
                        await asyncio.wait_for(send(content), SLOWEST_SEND)
                await event.wait()
        finally:
            self.viewers -= 1
            self._waiting.discard(event)
