# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Steady time for watchdogs and rates. Never the ROS clock: it can be set, stopped or simulated."""

from __future__ import annotations

import time
from collections import deque

steady_now = time.monotonic
"""Seconds on the steady clock; comparable between the processes of one machine."""


class ManualClock:
    """A steady clock that a test moves by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Move on by so many seconds; return the new time (s)."""
        self.now += seconds
        return self.now


class RateMeter:
    """How often something happens, over a sliding window.

    Args:
        window: seconds looked back.
    """

    def __init__(self, window: float = 1.0) -> None:
        self._window = window
        self._ticks: deque[float] = deque()

    def tick(self, now: float) -> None:
        """Note that it happened at steady time `now` (s)."""
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


def first_sequence() -> int:
    """Where a publisher starts its `sequence`: microseconds of the wall clock, then +1 a message.

    So the count goes on increasing when the publisher is restarted, and a listener can tell its
    new messages from replayed old ones without being told of the restart.
    """
    return time.time_ns() // 1000
