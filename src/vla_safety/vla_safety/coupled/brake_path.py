# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The path of the full brake from a command, and how the next command moves that path."""

import numpy as np

from vla_safety.kernel import barriers


class BrakePath:
    """Positions of all joints while each lowers its speed by its own a per second.

    Sampled with a period T, the brake sends v − aT, v − 2aT, … and a joint covers, by the time t,
    w·t − ½at² with w = |v| − ½aT, and w²/2a in all (a right Riemann sum, up to aT²/8). Each joint
    stops at its own time, so the path is bent.

    The next velocity u, held for one period T and then braked, moves each joint on its brake path:
    at the time τ of the path it is at p + uT + (what the brake from u covers in τ − T). The slope
    ∂b(τ)/∂u, its *leverage*, is the secant between the ends of the box, |v| − aT (the full brake)
    and |v| + aT: v/a + T/2 where the joint has come to rest by then, and 9T/8 for one that starts
    from rest; before that, τ; and `lag` more for what it overshoots.

    Args:
        acceleration: (n,) rad/s², > 0.

    Attributes:
        path: (6, n), see `kernel.barriers.brake`.
        start, stop: (n,) rad, first and last position. ends: (2, n), the two of them.
        sweep: (n,) rad, |stop − start|.
        duration: s, until the last joint rests.
    """

    def __init__(self, acceleration: np.ndarray) -> None:
        self._acceleration = np.array(acceleration, dtype=float)
        self.path = np.zeros((6, len(self._acceleration)))
        self.ends = self.path[:2]
        self.start, self.stop, self.sweep = self.path[:3]
        self.duration = 0.0

    def set(self, position: np.ndarray, velocity: np.ndarray, period: float) -> None:
        """The brake from `position` (n,) rad at `velocity` (n,) rad/s, sampled with `period` s."""
        self.duration = barriers.brake(position, velocity, self._acceleration, self.path, period)

    def at(self, time: float) -> np.ndarray:
        """(n,) rad, `time` s after the start."""
        position = np.empty_like(self.start)
        barriers.along(self.path, self._acceleration, time, position)
        return position

    def time_of(self, share: float) -> float:
        """s after which about `share` (0..1) of the way is done: 1 − share = (1 − t/duration)²."""
        return self.duration * (1.0 - (1.0 - share) ** 0.5)
