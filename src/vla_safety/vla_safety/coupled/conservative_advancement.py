# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nothing is met while the robot brakes: quantities along the brake path, and the proof.

The barrier of a quantity (a distance between two shapes, above all) is its value along the *brake
path* of a command (a backup barrier: Gurriet et al. 2020, IEEE Access 8): the command is safe if
the full brake from it, which needs nobody's permission, touches nothing. Two uses:

- Rows for the QP: the value at a few configurations of the path, and its gradient there.
- The proof that a path is free, for every quantity that could be near: between two configurations
  at which it is d₁ and d₂, and between which it cannot change by more than w = Σᵢ leverᵢ·|Δqᵢ|, it
  is at least (d₁ + d₂ − w)/2 (conservative advancement, Mirtich 1996). Where that is not enough,
  the way is halved and measured there.
"""

from __future__ import annotations

from typing import NamedTuple

import cython
import numpy as np

from vla_safety.coupled.barriers import BarrierFunctions
from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.constraint_rows import RowSet
from vla_safety.coupled.nearest_first import NearestFirst

COMPILED: bool = cython.compiled

PARTING = 5e-3
"""m by which the proof may fall short for what began nearer than its floor: it could not part."""


class Piece(NamedTuple):
    """A part of the way whose ends are measured: shares of the way, positions, pairs, distances."""

    low: float
    high: float
    q_low: np.ndarray
    q_high: np.ndarray
    pairs: list[int]
    d_low: list[float]
    d_high: list[float]


@cython.cclass
class ConservativeAdvancement:
    """The quantities along a brake path.

    Args:
        quantities: measures them.
        bounds: knows which are near.
        max_configurations: measured on one path before it counts as not proven.

    Attributes:
        measured: values that the last path took.
        worst: the quantity for which it was not proven; −1 if it was.
    """

    measured = cython.declare(cython.Py_ssize_t, visibility='readonly')
    worst = cython.declare(cython.Py_ssize_t, visibility='readonly')
    _quantities: object
    _levers: cython.double[:, ::1]
    _at_start: cython.double[::1]
    _at_stop: cython.double[::1]
    _way: cython.double[::1]
    _more: cython.double[::1]
    _floors: cython.double[::1]
    _spares: cython.double[::1]
    _lowest: cython.double[::1]
    _seen: list
    _lowered: dict
    _max_configurations: cython.Py_ssize_t

    def __init__(
        self, quantities: BarrierFunctions, bounds: NearestFirst, max_configurations: int
    ) -> None:
        self._quantities = quantities
        self._levers = bounds.levers
        self._at_start, self._at_stop = bounds.at_start, bounds.at_stop
        self._way, self._more = bounds.way, bounds.more
        # As the quantities have them, but for those that are beyond their floor (they began so):
        # these may stay or part, never approach.
        self._floors = np.array(quantities.floors)
        self._spares = np.array(quantities.spares)
        self._lowered = {}
        # What was measured on this path, and the least value of each.
        self._seen = []
        self._lowest = np.full(len(quantities.floors), np.inf)
        self._max_configurations = max_configurations
        self.measured = 0
        self.worst = -1

    def assess(
        self,
        path: BrakePath,
        near: list,
        rows: RowSet,
        period: cython.double,
        strict: cython.bint,
    ) -> bool:
        """Measure the quantities `near` on a path; the model is placed at `path.stop`.

        Args:
            rows: gets the rows, and is closed for the stop; the model may end up somewhere else.
            strict: give up at the first configuration that is too near.

        Returns:
            Whether the path is proven to keep the floor.
        """
        k: cython.Py_ssize_t
        i: cython.Py_ssize_t
        d: cython.double
        start: cython.double
        duration: cython.double = path.duration
        for i in range(len(self._seen)):
            k = self._seen[i]
            self._lowest[k] = float('inf')
        self._seen.clear()
        self.measured = 0
        self.worst = -1
        far: list = self._measure(near, path.stop, rows, strict)
        if strict and self.worst >= 0:
            return False
        rows.close(duration)
        unsure: list = []
        ends: list = []
        for i in range(len(near)):
            k = near[i]
            d = far[i]
            self._at_stop[k] = d
            start = d - self._way[k]
            start = start if start > self._at_start[k] else self._at_start[k]
            self._at_start[k] = start
            # The least on the way is half of what both ends are above what lies between.
            if not start + d - self._way[k] >= 2.0 * self._spares[k]:
                unsure.append(k)
                ends.append(d)
        complete: cython.bint = True
        if unsure and duration > 0.0:
            complete = self._advance(path, unsure, ends, rows, period, strict)
        proven: cython.bint = complete and self.worst < 0
        if self._lowered or not proven:
            self._ratchet(proven, strict)
        return proven

    @cython.cfunc
    def _advance(
        self,
        path: BrakePath,
        pairs: list,
        ends: list,
        rows: RowSet,
        period: cython.double,
        strict: cython.bint,
    ) -> cython.bint:
        """Halve the way until every pair is proven; False if that took too many configurations, or
        if `strict` and one was too near."""
        i: cython.Py_ssize_t
        k: cython.Py_ssize_t
        j: cython.Py_ssize_t
        low: cython.double
        high: cython.double
        below: cython.double
        above: cython.double
        way: cython.double
        q_low: cython.double[::1]
        q_high: cython.double[::1]
        self._quantities.place(path.start, pairs)
        here: list = self._measure(pairs, path.start, rows, strict)
        if strict and self.worst >= 0:
            return False
        rows.close(period)
        for i in range(len(pairs)):
            k = pairs[i]
            self._at_start[k] = here[i]
        pieces: list = [Piece(0.0, 1.0, path.start, path.stop, pairs, here, ends)]
        count: cython.Py_ssize_t = 2
        while pieces:
            piece = pieces.pop()
            q_low, q_high = piece.q_low, piece.q_high
            which: list = []
            d_low: list = []
            d_high: list = []
            for i in range(len(piece.pairs)):
                k = piece.pairs[i]
                below, above = piece.d_low[i], piece.d_high[i]
                way = 0.0
                for j in range(q_low.shape[0]):
                    way += self._levers[k, j] * abs(q_high[j] - q_low[j])
                if not below + above - way >= 2.0 * self._spares[k]:
                    which.append(k)
                    d_low.append(below)
                    d_high.append(above)
            if not which:
                continue
            if count >= self._max_configurations:
                self.worst = which[0]
                return False
            count += 1
            low, high = piece.low, piece.high
            share: cython.double = 0.5 * (low + high)
            time: cython.double = path.time_of(share)
            q = path.at(time)
            self._quantities.place(q, which)
            d: list = self._measure(which, q, rows, strict)
            if strict and self.worst >= 0:
                return False
            rows.close(time)
            pieces.append(Piece(share, high, q, piece.q_high, which, d, d_high))
            pieces.append(Piece(low, share, piece.q_low, q, which, d_low, d))
        return True

    @cython.cfunc
    def _measure(self, which: list, q: np.ndarray, rows: RowSet, strict: cython.bint) -> list:
        """Values at the configuration `q`, where the model is; rows where the next command could
        matter."""
        i: cython.Py_ssize_t
        k: cython.Py_ssize_t
        d: cython.double
        measure = self._quantities.measure
        self.measured += len(which)
        values: list = []
        for i in range(len(which)):
            k = which[i]
            d = measure(k, q, rows, self._more[k])
            values.append(d)
            if self._lowest[k] == float('inf'):
                self._seen.append(k)
            if not d >= self._lowest[k]:
                self._lowest[k] = d
            if not d >= self._floors[k]:
                if self.worst < 0 or d < self._lowest[self.worst]:
                    self.worst = k
                if strict:
                    break
        return values

    @cython.cfunc
    def _ratchet(self, proven: cython.bint, strict: cython.bint) -> cython.void:
        """Lower the floors of pairs that are nearer, raise them again as they part."""
        if not proven and strict:
            return  # This path is not taken.
        k: cython.Py_ssize_t
        d: cython.double
        floor: cython.double
        hard: list = self._quantities.floors
        spares: list = self._quantities.spares
        before: dict = self._lowered
        for k in before:
            self._floors[k], self._spares[k] = hard[k], spares[k]
        self._lowered = {}
        for k in self._seen:
            d = self._lowest[k]
            floor = max(before.get(k, hard[k]), d) if proven else d - 1e-9
            if floor < hard[k]:
                self._lowered[k] = floor
                self._floors[k] = floor
                self._spares[k] = min(spares[k], floor - PARTING)
