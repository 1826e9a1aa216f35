# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The watchdog in the subscriber."""

import math

from vla_common.stamps import StampSequence


class Watchdog:
    """Age of the newest message of one source. Only new messages feed it.

    The sequence (a counter, or the stamp in nanoseconds) must increase: a hanging process whose
    other thread repeats the last value, a replayed message and one out of order do not feed it.

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
        self._order = StampSequence()

    @property
    def alive_once(self) -> bool:
        """Whether a message was ever received."""
        return self._last_beat > -math.inf

    def beat(self, now: float, sequence: int | None = None, wall_ns: int | None = None) -> bool:
        """Receive a message at steady time `now` (s); return whether it is new.

        wall_ns: the local ROS clock where the sequence is a stamp; see `StampSequence`.
        """
        if sequence is not None and self._order.reject(sequence, wall_ns):
            self.replayed += 1
            return False
        self._last_beat = now
        self.received += 1
        return True

    def age(self, now: float) -> float:
        """Return seconds since the last new message; infinity before the first."""
        return now - self._last_beat

    def expired(self, now: float) -> bool:
        """Return whether no new message came for longer than the timeout, or none at all."""
        # Written so that a NaN age counts as expired.
        return not self.age(now) <= self.timeout

    def reset(self) -> None:
        """Forget everything, e.g. after a restart of the source, which counts from zero."""
        self._last_beat = -math.inf
        self._order.reset()
