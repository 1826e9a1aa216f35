# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The age of a robot's newest state, by the robot's own clock. Pure."""

from __future__ import annotations

import math

LEAK = 1e-3  # s per s by which the two clocks may differ
RESTART = 1.0  # s by which a robot's clock goes back when it restarts


class StateAge:
    """A state that waited in a buffer is older than its arrival.

    Between two arrivals the robot's time has to pass as ours does; what it lags behind is added to
    the age. A lag that is only another speed of its clock leaks away.
    """

    def __init__(self) -> None:
        self._arrived = math.nan
        self._stamp = math.nan
        self._lag = 0.0
        self._begun = math.nan

    def begin(self, now: float) -> None:
        """Nothing has arrived yet: silence counts from the first call on."""
        if math.isnan(self._begun):
            self._begun = now

    def update(self, now: float, stamp: float) -> bool:
        """A state has arrived. now, stamp: s of our clock and of the robot's. Whether it is new:
        one that was sent before, or whose stamp stands still, is not."""
        if not math.isfinite(stamp):
            return False
        if not math.isnan(self._stamp):
            passed = stamp - self._stamp
            if -RESTART < passed <= 0.0:
                return False
            if passed > 0.0:
                lag = self._lag + (now - self._arrived) * (1.0 - LEAK) - passed
                self._lag = max(lag, 0.0)
            else:
                self._lag = 0.0
        self._arrived, self._stamp = now, stamp
        return True

    def of(self, now: float) -> float:
        """s; inf before the first state."""
        age = now - self._arrived + self._lag
        return math.inf if math.isnan(age) else age

    def silence(self, now: float) -> float:
        """s since the last arrival, or since `begin`."""
        since = self._begun if math.isnan(self._arrived) else self._arrived
        return 0.0 if math.isnan(since) else now - since
