# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which quantities need measuring now: those that could have come near since they last were."""

from __future__ import annotations

import numpy as np

from vla_safety.coupled.brake_path import BrakePath


class NearestFirst:
    """Lower bounds of quantities, from what they were and how far the joints have moved since.

    A quantity (a distance between two shapes, of a hand from a wall, of the centre of mass from an
    edge) changes by at most lever·|Δq|. What was far away needs no new look until the joints have
    moved as far; nothing is ever missed.

    Args:
        levers: (m, n) the most by which each quantity changes per rad of each joint.
        zero: (m,) value at which the quantity's barrier ends.
        lag: s, by which the joints overshoot each rad/s that they brake from.

    Attributes:
        known: (m,) lower bounds at the start of the path.
        way: (m,) the most by which each can change on the path.
        more: (m,) the most by which the next command and the lag can change it at the path's end.
        reach: (n,) rad, the most by which they can move each joint there.
    """

    def __init__(self, levers: np.ndarray, zero: np.ndarray, lag: float) -> None:
        m, n = levers.shape
        self._levers = np.ascontiguousarray(levers.T)
        self._zero = np.array(zero, dtype=float)
        self._lag = lag
        self._moves = np.zeros((3, n))
        self._came, self._way, self.reach = self._moves
        self._changes = np.zeros((3, m))
        self._first, self.way, self.more = self._changes
        self._slack = np.zeros(m)
        self._at = np.zeros(n)
        self.known = np.full(m, -np.inf)

    def candidates(
        self, path: BrakePath, velocity: np.ndarray, acceleration: np.ndarray, period: float
    ) -> list[int]:
        """Quantities that could be beyond their zero on the path, or after the next command.

        Args:
            velocity: (n,) rad/s that the path begins with.
            acceleration: (n,) rad/s².
            period: s.
        """
        came = np.subtract(path.start, self._at, self._came)
        np.abs(came, came)
        self._at[:] = path.start
        self._way[:] = path.sweep
        # From the full brake to the other end of the box is 2aT, and each rad/s of it moves the
        # stop by what `leverage` says: at most |v|/a + 9T/8 + lag. And the lag itself, |v|·lag.
        reach = np.abs(velocity, self.reach)
        reach *= 1.0 + self._lag / (2.0 * period)
        reach += acceleration * (1.125 * period + self._lag)
        reach *= 2.0 * period
        np.matmul(self._moves, self._levers, out=self._changes)
        self.known -= self._first
        slack = np.subtract(self.known, self._zero, self._slack)
        slack -= self.way
        slack -= self.more
        # Not `slack < 0`: what is not a number is near.
        return (~(slack >= 0.0)).nonzero()[0].tolist()
