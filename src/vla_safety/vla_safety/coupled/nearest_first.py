# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which quantities need measuring now: those that could have come near since they last were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_safety.coupled.brake_path import BrakePath

TYPICAL = 0.4
"""Of what all levers together could do, what a command does to a quantity at most as a rule: a
turn about three axes of a shoulder moves a hand along one direction. Only rows count on it."""


class NearestFirst:
    """Lower bounds of quantities, from what they were and how far the joints have moved since.

    A quantity (a distance between two shapes, of a hand from a wall, of the centre of mass from an
    edge) changes by at most lever·|Δq|. What was far away needs no new look until the joints have
    moved as far; the proof of a path never misses one.

    Args:
        levers: (m, n) the most by which each quantity changes per rad of each joint.
        zero: (m,) value at which the quantity's barrier ends.
        spare: (m,) value that it must keep all along a path.
        lag: s, by which the joints overshoot each rad/s that they brake from.

    Attributes:
        at_start, at_stop: (m,) lower bounds at the path's ends.
        way: (m,) the most by which each can change on the path.
        more: (m,) how much the next command and the lag change it at the path's end, as a rule.
        reach: (n,) rad, the most by which they can move each joint there.
    """

    def __init__(
        self, levers: np.ndarray, zero: Sequence[float], spare: Sequence[float], lag: float
    ) -> None:
        m, n = levers.shape
        self._levers = np.ascontiguousarray(levers.T)
        self._zero = np.array(zero, dtype=float)
        self._twice_spare = 2.0 * np.array(spare, dtype=float)
        self.levers = np.array(levers, dtype=float)
        self._lag = lag
        self._moves = np.zeros((4, n))
        self._came_by, self._sweep, self.reach = self._moves[:2], self._moves[2], self._moves[3]
        self._changes = np.zeros((4, m))
        self._came, self.way, self.more = self._changes[:2], self._changes[2], self._changes[3]
        self._slack = np.zeros(m)
        self._starting = np.zeros(n)
        self._ends = np.zeros((2, n))
        self._known = np.full((2, m), -np.inf)
        self.at_start, self.at_stop = self._known

    def candidates(
        self, path: BrakePath, velocity: np.ndarray, acceleration: np.ndarray, period: float
    ) -> list[int]:
        """Quantities that a path could bring to nothing, or the next command near their zero.

        Args:
            velocity: (n,) rad/s that the path begins with.
            acceleration: (n,) rad/s².
            period: s.
        """
        moves, ends = self._moves, self._ends
        np.subtract(path.ends, ends, self._came_by)
        np.abs(self._came_by, self._came_by)
        ends[:] = path.ends
        self._sweep[:] = path.sweep
        # From the full brake to the other end of the box is 2aT, and each rad/s of it moves the
        # stop by what `leverage` says: at most |v|/a + 9T/8 + lag. And the lag itself, |v|·lag. A
        # joint at rest is taken to stay there: where it does not, the proof finds it.
        reach = np.abs(velocity, self.reach)
        starting = np.multiply(acceleration, 1.125 * period + self._lag, self._starting)
        np.minimum(starting, reach, out=starting)
        reach *= 1.0 + self._lag / (2.0 * period)
        reach += starting
        reach *= 2.0 * period
        np.matmul(moves, self._levers, out=self._changes)
        self._known -= self._came
        self.more *= TYPICAL
        # Not `< 0`: what is not a number is near.
        slack = np.subtract(self.at_stop, self._zero, self._slack)
        slack -= self.more
        far = slack >= 0.0
        np.add(self.at_start, self.at_stop, out=slack)
        slack -= self.way
        far &= slack >= self._twice_spare
        return (~far).nonzero()[0].tolist()

    def learn(self, quantity: int, at_stop: float) -> tuple[float, float]:
        """Take a value measured at the path's end; return the bounds at its start and end."""
        self.at_stop[quantity] = at_stop
        start = max(float(self.at_start[quantity]), at_stop - float(self.way[quantity]))
        self.at_start[quantity] = start
        return start, at_stop

    def forget(self, quantity: int) -> None:
        """What was known of it is void."""
        self._known[:, quantity] = -np.inf
