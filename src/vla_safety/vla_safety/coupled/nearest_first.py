# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which quantities need measuring now: those that could have come near since they last were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_safety.coupled.brake_path import BrakePath
from vla_safety.kernel import barriers

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
        self._levers = np.array(levers.T, dtype=float, order='C')
        self._needs = np.array((zero, 2.0 * np.asarray(spare)), dtype=float)
        self.levers = np.array(levers, dtype=float)
        self._lag = lag
        self._moves = np.zeros((4, n))
        self.reach = self._moves[3]
        self._changes = np.zeros((4, m))
        self.way, self.more = self._changes[2:]
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
        return barriers.candidates(
            path.path,
            velocity,
            acceleration,
            self._levers,
            self._known,
            self._ends,
            self._moves,
            self._changes,
            self._needs,
            period,
            self._lag,
            TYPICAL,
        )

    def forget(self, quantity: int) -> None:
        """What was known of it is void."""
        self._known[:, quantity] = -np.inf
