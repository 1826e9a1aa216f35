# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages that were published and never received, by the middleware's sequence numbers."""

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
