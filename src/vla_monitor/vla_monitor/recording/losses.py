# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages by topic: received, dropped for want of room, and lost in the middleware."""

from collections import Counter
from typing import Any

UNSUPPORTED = (1 << 64) - 1
"""The number where the middleware counts nothing."""


class LossCounter:
    """Counts the gaps in the numbers of one topic.

    The numbers count one publisher's messages, and a message does not say whose it is: with several
    publishers nothing can be counted. A smaller number is a publisher that began again.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def update(self, number: int, publishers: int) -> int:
        """Messages that are missing before this one.

        Args:
            number: of the message, from 1.
            publishers: of the topic, now.
        """
        if publishers != 1 or number == UNSUPPORTED:
            self._last = None
            return 0
        last, self._last = self._last, number
        return number - last - 1 if last is not None and number > last else 0


class TopicCounts:
    """Counts by topic: received messages and their bytes, dropped and lost messages."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def summary(self, seconds: float) -> dict[str, dict[str, Any]]:
        """By topic, for a recording of `seconds` s."""
        return {
            name: {
                'messages': self.received[name],
                'bytes': self.bytes[name],
                'hz': self.received[name] / max(seconds, 1e-3),
                'dropped': self.dropped[name],
                'lost': self.lost[name],
            }
            for name in sorted(self.received | self.dropped | self.lost)
        }
