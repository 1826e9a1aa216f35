# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How long something has been wrong, with a memory that flapping cannot empty."""

from __future__ import annotations


class Debounce:
    """A leaky integrator of 'wrong' time: fires when ``limit`` seconds have gathered.

    Time passed while wrong counts fully, time passed while right drains at ``leak`` seconds per
    second. A plain 'since when' restarts at every good sample, so a fault that flaps would never
    fire; here any fault that is there more than leak / (1 + leak) of the time does.
    """

    def __init__(self, limit: float, leak: float) -> None:
        self._limit = limit
        self._leak = leak
        self._gathered = 0.0
        self._last: float | None = None
        self._wrong = False

    @property
    def gathered(self) -> float:
        """Seconds gathered, 0..limit."""
        return self._gathered

    def update(self, wrong: bool, now: float) -> bool:
        """Take the state from ``now`` on; True while the limit is reached."""
        if self._last is not None and now > self._last:
            dt = now - self._last
            # The interval before a change to wrong was right, and the other way round.
            step = dt if self._wrong else -self._leak * dt
            self._gathered = min(max(self._gathered + step, 0.0), self._limit)
        self._last = now if self._last is None else max(now, self._last)
        self._wrong = wrong
        return self.fired

    @property
    def fired(self) -> bool:
        """Whether the limit is reached now; a limit of 0 fires while wrong."""
        return self._gathered >= self._limit and (self._limit > 0.0 or self._wrong)

    def reset(self) -> None:
        """Forget everything."""
        self._gathered, self._last, self._wrong = 0.0, None, False
