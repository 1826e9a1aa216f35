# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The watchdog that sits in the listener."""

from __future__ import annotations

import math


class Watchdog:
    """Age of the newest message of one source, fed only by messages that are really new.

    A process that hangs while another of its threads goes on publishing the last value, a replayed
    message or one out of order does not feed it: the sequence (a counter, or the stamp in
    nanoseconds) has to advance.

    Args:
        name: of the source, for reports.
        timeout: seconds without a new message after which it is `expired`.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self.replayed = 0
        self.received = 0
        self._last_beat = -math.inf
        self._last_sequence: int | None = None

    @property
    def alive_once(self) -> bool:
        """Whether anything was ever received."""
        return self._last_beat > -math.inf

    def beat(self, now: float, sequence: int | None = None) -> bool:
        """Take one message at steady time `now` (s); return whether it was a new one."""
        if sequence is not None:
            if self._last_sequence is not None and sequence <= self._last_sequence:
                self.replayed += 1
                return False
            self._last_sequence = sequence
        self._last_beat = now
        self.received += 1
        return True

    def age(self, now: float) -> float:
        """Return seconds since the last new message; infinity before the first."""
        return now - self._last_beat

    def expired(self, now: float) -> bool:
        """Return whether nothing new came for longer than the timeout, or nothing at all."""
        # Written so that a NaN age counts as expired.
        return not self.age(now) <= self.timeout

    def reset(self) -> None:
        """Forget everything, e.g. when the source was restarted and counts from zero again."""
        self._last_beat = -math.inf
        self._last_sequence = None
