# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A subscription whose messages a loop takes when it needs them."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from vla_common.cdr import Reader
from vla_common.clock import steady_now


def received(subscription: Any, serialized: bool = False) -> Iterator[tuple[Any, dict[str, int]]]:
    """What a subscription of a bare node, which no executor serves, has received, oldest first:
    messages, each with the middleware's `received_timestamp` (ns) and more."""
    while True:
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, serialized)
        if taken is None:
            return
        yield taken


class PolledTopic:
    """Messages that a loop takes itself; created by `GuardedNode.poll`.

    The executor does not serve the subscription: a callback per message costs a wake-up of the
    process, 0.1 to 0.2 ms of CPU time for a message at a control rate, whatever it does.
    """

    def __init__(
        self,
        handle: Any,
        kind: type[Any],
        reader: Reader,
        report_error: Callable[[], None],
        always: bool,
    ) -> None:
        self._take = handle.take_message
        self._kind = kind
        self.reader = reader
        self._report_error = report_error
        self.always = always  # what was received while the node was inactive is kept
        self._emptied = steady_now()
        self.arrived = -math.inf
        """Steady time (s) at which the message taken last was received."""

    def newest(self) -> list[Any] | None:
        """The fields' values of the newest message; None: nothing new, or unreadable."""
        serialized = self._drain(keep=1)
        return self._read(*serialized[0]) if serialized else None

    def all(self) -> Iterator[list[Any]]:
        """The values of all messages since the last call (at most the depth), oldest first.

        `arrived` belongs to the message that was returned last. An unreadable one is skipped.
        """
        for serialized, arrived in self._drain():
            values = self._read(serialized, arrived)
            if values is not None:
                yield values

    def raw(self) -> Iterator[tuple[bytes, dict[str, int]]]:
        """All messages since the last call, serialized, oldest first; each with the middleware's
        `source_timestamp`, `received_timestamp` (ns) and `publication_sequence_number`.
        """
        while (taken := self._take(self._kind, True)) is not None:
            yield taken

    def discard(self) -> None:
        """Drop what has been received so far."""
        self._drain(keep=0)

    def _drain(self, keep: int | None = None) -> deque[tuple[bytes, float]]:
        before, self._emptied = self._emptied, steady_now()
        # The middleware reports the time of reception by the system clock, which may jump.
        offset = self._emptied - 1e-9 * time.time_ns()
        kept: deque[tuple[bytes, float]] = deque(maxlen=keep)
        while (taken := self._take(self._kind, True)) is not None:
            arrived = 1e-9 * taken[1]['received_timestamp'] + offset
            kept.append((taken[0], min(max(arrived, before), self._emptied)))
        return kept

    def _read(self, serialized: bytes, arrived: float) -> list[Any] | None:
        self.arrived = arrived
        try:
            return self.reader.read(serialized)
        except Exception:
            self._report_error()
            return None
