# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Newest joint positions and velocities of one source."""

import numpy as np

from vla_common.watchdog import Watchdog

BEYOND = 0.5
"""rad (m) beyond the limits, up to which a reading can be one of this robot."""


class JointReadings:
    """Newest positions and velocities of one source, with their age.

    Args:
        name: of the source.
        lower, upper: (n,) rad, limits of the joints.
        timeout: s.
    """

    def __init__(self, name: str, lower: np.ndarray, upper: np.ndarray, timeout: float) -> None:
        n = len(lower)
        self._watchdog = Watchdog(name, timeout)
        self._lowest, self._highest = lower - BEYOND, upper + BEYOND
        self.position = np.zeros(n)
        self.velocity = np.zeros(n)
        self.rejected = 0

    def update(
        self,
        position: np.ndarray,
        velocity: np.ndarray,
        sequence: int,
        now: float,
        wall_ns: int | None = None,
    ) -> bool:
        """Take a reading; return False where it is rejected: not finite, far outside of the limits
        (a motion would begin there), not new, or (by wall_ns, the ROS clock) stamped in the
        future."""
        inside = (position >= self._lowest) & (position <= self._highest)
        if not (inside.all() and np.isfinite(velocity).all()):
            self.rejected += 1
            return False
        if not self._watchdog.beat(now, sequence, wall_ns):
            return False
        self.position[:] = position
        self.velocity[:] = velocity
        return True

    @property
    def timeout(self) -> float:
        """s."""
        return self._watchdog.timeout

    def extrapolate(self, now: float, out: np.ndarray) -> np.ndarray:
        """Write position + velocity·age into `out` (n,): transport makes a reading old."""
        np.multiply(self.velocity, min(max(self.age(now), 0.0), self.timeout), out)
        out += self.position
        return out

    @property
    def replayed(self) -> int:
        """Readings dropped because they were not new, or of the future."""
        return self._watchdog.replayed

    def fresh(self, now: float) -> bool:
        return not self._watchdog.expired(now)

    def age(self, now: float) -> float:
        return self._watchdog.age(now)
