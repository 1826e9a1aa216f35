# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Steady time for watchdogs and rates. Never the ROS clock: it can be set, stopped or simulated."""

import math
import time
from collections import deque

steady_now = time.monotonic
"""Seconds on the steady clock; comparable between the processes of one machine."""


class ManualClock:
    """A steady clock that a test advances."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Advance by `seconds`; return the new time (s)."""
        self.now += seconds
        return self.now


class RateMeter:
    """Rate of an event over a sliding window.

    window: s.
    """

    def __init__(self, window: float = 1.0) -> None:
        self._window = window
        self._ticks: deque[float] = deque()

    def tick(self, now: float) -> None:
        """Count an event at steady time `now` (s)."""
        self._ticks.append(now)
        self._forget(now)

    def rate(self, now: float) -> float:
        """Return events per second in the window before `now`; 0 with fewer than two."""
        self._forget(now)
        if len(self._ticks) < 2:
            return 0.0
        span = self._ticks[-1] - self._ticks[0]
        return (len(self._ticks) - 1) / span if span > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._ticks and now - self._ticks[0] > self._window:
            self._ticks.popleft()


class Pacer:
    """The cycles of a faster loop in which something slower is due, without drift.

    rate: Hz.
    """

    def __init__(self, rate: float) -> None:
        self._period = 1.0 / rate
        self._next = -math.inf
        self._state: object = None

    def due(self, now: float, state: object = None) -> bool:
        """Whether it is due at steady time `now` (s), or at once because `state` changed."""
        changed, self._state = state != self._state, state
        # Half a millisecond early is on time: the loop's own jitter must not halve the rate.
        if now < self._next - 0.0005:
            return changed
        # After a pause it begins again and does not catch up.
        last = self._next if now < self._next + self._period else now
        self._next = last + self._period
        return True


def first_sequence() -> int:
    """The first `sequence` of a publisher: microseconds of the wall clock, then +1 per message.

    So the sequence also increases over a restart of the publisher, and a subscriber distinguishes
    new messages from replayed ones without knowledge of the restart.
    """
    return time.time_ns() // 1000
