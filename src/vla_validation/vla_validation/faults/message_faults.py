# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What can happen to a stream of messages on its way. Pure: time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

DELAY = 0.6
"""s by which `delay` is late: longer than any of the shipped timeouts."""

HOWS = ('none', 'silence', 'delay', 'duplicate', 'reorder', 'replay')


class MessageFaults:
    """One stream of serialised messages, and what is done to it.

    Args:
        lie: for anything that is not in `HOWS`: makes what is said out of what was to be said.
    """

    def __init__(
        self, how: str = 'none', lie: Callable[[bytes], bytes | None] | None = None
    ) -> None:
        self._how = how
        self._lie = lie
        self._late: deque[tuple[float, bytes]] = deque()
        self._held: bytes | None = None

    def take(self, now: float, message: bytes) -> list[bytes]:
        """One message comes; those that go on now, in their order."""
        if self._how == 'none':
            return [message]
        if self._how == 'silence':
            return []
        if self._how == 'delay':
            self._late.append((now + DELAY, message))
            return self.due(now)
        if self._how == 'duplicate':
            return [message, message]
        if self._how == 'reorder':
            if self._held is None:
                self._held = message
                return []
            first, self._held = self._held, None
            return [message, first]
        if self._how == 'replay':
            self._held = self._held or message
            return [self._held]
        told = self._lie(message) if self._lie is not None else message
        return [] if told is None else [told]

    def due(self, now: float) -> list[bytes]:
        """Late messages whose time has come."""
        gone = []
        while self._late and self._late[0][0] <= now:
            gone.append(self._late.popleft()[1])
        return gone
