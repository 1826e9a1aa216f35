# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Barrier quantities along the brake path, and the proof that the path is free.

A command is safe if the full brake from it touches nothing (a backup barrier: Gurriet et al. 2020,
IEEE Access 8). The quantities are measured at a few configurations of that *brake path*, for the
rows of the QP and for the proof: between two configurations with the values d₁ and d₂, between
which a quantity changes by at most w = Σᵢ boundᵢ·|Δqᵢ|, it is at least (d₁ + d₂ − w)/2
(conservative advancement, Mirtich 1996). Where that does not suffice, the path is halved and
measured there.
"""

from __future__ import annotations

from typing import NamedTuple

import cython
import numpy as np

from vla_safety.coupled.barriers import BarrierSet
from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.constraint_rows import RowSet
from vla_safety.coupled.nearest_first import NearestFirst

COMPILED: bool = cython.compiled

PARTING = 5e-3
"""m by which the proof may fall short for shapes that began nearer than their floor: without it
they could not part."""


class Piece(NamedTuple):
    """A part of the path with measured ends: shares of the path, positions, quantities, values."""

    low: float
    high: float
    q_low: np.ndarray
    q_high: np.ndarray
    which: list[int]
    d_low: list[float]
    d_high: list[float]


@cython.cclass
class ConservativeAdvancement:
    """Measures the quantities along a brake path.

    Args:
        quantities: of all barriers.
        bounds: their lower bounds, updated here.
        max_configurations: measured on one path before it counts as not proven.

    Attributes:
        measured: number of values measured on the last path.
        worst: the quantity for which it was not proven; −1 if it was.
    """

    measured = cython.declare(cython.Py_ssize_t, visibility='readonly')
    worst = cython.declare(cython.Py_ssize_t, visibility='readonly')
    _quantities: object
    _distance_bounds: cython.double[:, ::1]
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
        self, quantities: BarrierSet, bounds: NearestFirst, max_configurations: int
    ) -> None:
        self._quantities = quantities
        self._distance_bounds = bounds.distance_bounds
        self._at_start, self._at_stop = bounds.at_start, bounds.at_stop
        self._way, self._more = bounds.way, bounds.more
        # Lowered for quantities that began beyond their floor: these may stay or part, never
        # approach.
        self._floors = np.array(quantities.floors)
        self._spares = np.array(quantities.spares)
        self._lowered = {}
        # Measured on this path, and the least value of each.
        self._seen = []
        self._lowest = np.full(len(quantities.floors), np.inf)
        self._max_configurations = max_configurations
        self.measured = 0
        self.worst = -1

    def assess(
        self, path: BrakePath, near: list, rows: RowSet, period: cython.double, strict: cython.bint
    ) -> bool:
        """Measure the quantities `near` on a path; the model is placed at `path.stop`.

        Args:
            rows: gets the rows, and is closed for the stop; the model may end up somewhere else.
            strict: give up at the first configuration that is too near.

        Returns:
            Whether the path is proven to keep the floor.
        """
        cython.declare(k=cython.Py_ssize_t, i=cython.Py_ssize_t)
        cython.declare(d=cython.double, start=cython.double)
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
            # The lower bound between both ends, see the module.
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

    def take(self, before: ConservativeAdvancement) -> None:
        """Continue the floors of one with the same first quantities."""
        self._lowered = dict(before._lowered)
        for k in self._lowered:
            self._lower(k)

    def forget(self, quantity: cython.Py_ssize_t) -> None:
        """Its floor is the barrier's again."""
        self._lowered.pop(quantity, None)
        self._floors[quantity] = self._quantities.floors[quantity]
        self._spares[quantity] = self._quantities.spares[quantity]

    def shift(
        self, first: cython.Py_ssize_t, last: cython.Py_ssize_t, nearer: cython.double
    ) -> None:
        """Lowered floors of the quantities first … last − 1 become smaller by `nearer`: these
        changed without the robot."""
        for k in [k for k in self._lowered if first <= k < last]:
            self._lowered[k] -= nearer
            if self._lowered[k] < self._quantities.floors[k]:
                self._lower(k)
            else:
                self.forget(k)

    @cython.cfunc
    def _lower(self, k: cython.Py_ssize_t) -> cython.void:
        floor: cython.double = self._lowered[k]
        self._floors[k] = floor
        self._spares[k] = min(self._quantities.spares[k], floor - PARTING)

    @cython.cfunc
    def _advance(
        self,
        path: BrakePath,
        which: list,
        ends: list,
        rows: RowSet,
        period: cython.double,
        strict: cython.bint,
    ) -> cython.bint:
        """Halve the path until every quantity is proven; False if that took too many
        configurations, or if `strict` and one was too near."""
        cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t, j=cython.Py_ssize_t)
        cython.declare(low=cython.double, high=cython.double, below=cython.double)
        cython.declare(above=cython.double, way=cython.double)
        cython.declare(q_low=cython.double[::1], q_high=cython.double[::1])
        self._quantities.place(path.start, which)
        here: list = self._measure(which, path.start, rows, strict)
        if strict and self.worst >= 0:
            return False
        rows.close(period)
        for i in range(len(which)):
            k = which[i]
            self._at_start[k] = here[i]
        pieces: list = [Piece(0.0, 1.0, path.start, path.stop, which, here, ends)]
        count: cython.Py_ssize_t = 2
        while pieces:
            piece = pieces.pop()
            q_low, q_high = piece.q_low, piece.q_high
            unsure: list = []
            d_low: list = []
            d_high: list = []
            for i in range(len(piece.which)):
                k = piece.which[i]
                below, above = piece.d_low[i], piece.d_high[i]
                way = 0.0
                for j in range(q_low.shape[0]):
                    way += self._distance_bounds[k, j] * abs(q_high[j] - q_low[j])
                if not below + above - way >= 2.0 * self._spares[k]:
                    unsure.append(k)
                    d_low.append(below)
                    d_high.append(above)
            if not unsure:
                continue
            if count >= self._max_configurations:
                self.worst = unsure[0]
                return False
            count += 1
            low, high = piece.low, piece.high
            share: cython.double = 0.5 * (low + high)
            time: cython.double = path.time_of(share)
            q = path.at(time)
            self._quantities.place(q, unsure)
            d: list = self._measure(unsure, q, rows, strict)
            if strict and self.worst >= 0:
                return False
            rows.close(time)
            pieces.append(Piece(share, high, q, piece.q_high, unsure, d, d_high))
            pieces.append(Piece(low, share, piece.q_low, q, unsure, d_low, d))
        return True

    @cython.cfunc
    def _measure(self, which: list, q: np.ndarray, rows: RowSet, strict: cython.bint) -> list:
        """Values at the configuration `q`, where the model is; rows as in `BarrierSet.measure`."""
        cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t)
        cython.declare(d=cython.double)
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
        """Lower the floors of quantities that are beyond them, raise them again as they part."""
        if not proven and strict:
            return  # this path is not taken
        cython.declare(k=cython.Py_ssize_t)
        cython.declare(d=cython.double, floor=cython.double)
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
                self._lower(k)
