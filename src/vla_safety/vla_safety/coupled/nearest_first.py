# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Selects the quantities to measure now: those that could have come near since they were."""

from collections.abc import Sequence

import numpy as np

from vla_safety.coupled.brake_path import BrakePath
from vla_safety.kernel import barriers

TYPICAL = 0.4
"""Share of all distance bounds together that a command usually uses: a turn about three axes of a
shoulder moves a hand along one direction. Only rows rely on it, not the proof."""


class NearestFirst:
    """Lower bounds of quantities, from what they were and how far the joints have moved since.

    A quantity changes by at most its distance bound times |Δq|. One that was far away needs no new
    measurement until the joints have moved as far; the proof of a path never misses one.

    Args:
        distance_bounds: (m, n) the most by which each quantity changes per rad of each joint.
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
        self, distance_bounds: np.ndarray, zero: Sequence[float], spare: Sequence[float], lag: float
    ) -> None:
        m, n = distance_bounds.shape
        self._by_joint = np.array(distance_bounds.T, dtype=float, order='C')
        self._needs = np.array((zero, 2.0 * np.asarray(spare)), dtype=float)
        self.distance_bounds = np.array(distance_bounds, dtype=float)
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
        """Quantities that a path could bring to their zero, or the next command near it.

        Args:
            velocity: (n,) rad/s that the path begins with.
            acceleration: (n,) rad/s².
            period: s.
        """
        return barriers.candidates(
            path.path,
            velocity,
            acceleration,
            self._by_joint,
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
        """Drop its lower bounds."""
        self._known[:, quantity] = -np.inf

    def take(self, before: 'NearestFirst') -> None:
        """Continue the bounds of one with the same first quantities; the others are empty."""
        m = before._known.shape[1]
        self._ends[:] = before._ends
        self._known[:, :m] = before._known
        self._known[:, m:] = np.inf

    def begin(self, quantity: int, row: np.ndarray) -> None:
        """A quantity comes; row: (n,), its distance bounds."""
        self._set_row(quantity, row)
        self.forget(quantity)

    def end(self, quantity: int) -> None:
        """A quantity goes: it is never near."""
        self._set_row(quantity, 0.0)
        self._known[:, quantity] = np.inf

    def _set_row(self, quantity: int, row: np.ndarray | float) -> None:
        self._by_joint[:, quantity] = row
        self.distance_bounds[quantity] = row

    def shift(self, first: int, last: int, nearer: float) -> None:
        """The quantities first … last − 1 became smaller by `nearer`, or by less."""
        self._known[:, first:last] -= nearer
