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

import numpy as np

from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.nearest_first import NearestFirst
from vla_safety.coupled.quantities import Quantities
from vla_safety.coupled.rows import RowSet

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


class PathProof:
    """The quantities along a brake path.

    Args:
        quantities: measures them.
        bounds: knows which are near.
        max_configurations: measured on one path before it counts as not proven.

    Attributes:
        measured: values that the last path took.
        worst: the quantity for which it was not proven; −1 if it was.
    """

    def __init__(
        self, quantities: Quantities, bounds: NearestFirst, max_configurations: int
    ) -> None:
        self._quantities = quantities
        self._levers = bounds.levers
        self._bounds = bounds
        # Quantities that are beyond their floor (they began so) may stay or part, never approach.
        self._lowered: dict[int, float] = {}
        self._lowest: dict[int, float] = {}
        self._max_configurations = max_configurations
        self.measured = 0
        self.worst = -1

    def assess(
        self, path: BrakePath, near: list[int], rows: RowSet, period: float, strict: bool
    ) -> bool:
        """Measure the quantities `near` on a path; the model is placed at `path.stop`.

        Args:
            rows: gets the rows, and is closed for the stop; the model may end up somewhere else.
            strict: give up at the first configuration that is too near.

        Returns:
            Whether the path is proven to keep the floor.
        """
        self.measured = 0
        self.worst = -1
        self._lowest.clear()
        bounds, lowered = self._bounds, self._lowered
        far = self._measure(near, path.stop, rows, strict)
        if strict and self.worst >= 0:
            return False
        rows.close(path.duration)
        unsure, ends = [], []
        for pair, d in zip(near, far, strict=True):
            start, _ = bounds.learn(pair, d)
            # The least on the way is half of what both ends are above what lies between.
            if not start + d - float(bounds.way[pair]) >= 2.0 * self._spare(pair):
                unsure.append(pair)
                ends.append(d)
        complete = True
        if unsure and path.duration > 0.0:
            complete = self._advance(path, unsure, ends, rows, period, strict)
        proven = complete and self.worst < 0
        if lowered or not proven:
            self._ratchet(proven, strict)
        return proven

    def _spare(self, pair: int) -> float:
        floor, spare = self._lowered.get(pair), self._quantities.spares[pair]
        return spare if floor is None else min(spare, floor - PARTING)

    def _advance(
        self,
        path: BrakePath,
        pairs: list[int],
        ends: list[float],
        rows: RowSet,
        period: float,
        strict: bool,
    ) -> bool:
        """Halve the way until every pair is proven; False if that took too many configurations, or
        if `strict` and one was too near."""
        levers = self._levers
        self._quantities.place(path.start, pairs)
        here = self._measure(pairs, path.start, rows, strict)
        if strict and self.worst >= 0:
            return False
        rows.close(period)
        self._bounds.at_start[pairs] = here
        pieces = [Piece(0.0, 1.0, path.start, path.stop, pairs, here, ends)]
        count = 2
        while pieces:
            piece = pieces.pop()
            ways = levers[piece.pairs] @ np.abs(piece.q_high - piece.q_low)
            unsure = [
                (pair, d_low, d_high)
                for pair, d_low, d_high, way in zip(
                    piece.pairs, piece.d_low, piece.d_high, ways.tolist(), strict=True
                )
                if not d_low + d_high - way >= 2.0 * self._spare(pair)
            ]
            if not unsure:
                continue
            which, d_low, d_high = (list(column) for column in zip(*unsure, strict=True))
            if count >= self._max_configurations:
                self.worst = which[0]
                return False
            count += 1
            share = 0.5 * (piece.low + piece.high)
            time = path.time_of(share)
            q = path.at(time)
            self._quantities.place(q, which)
            d = self._measure(which, q, rows, strict)
            if strict and self.worst >= 0:
                return False
            rows.close(time)
            pieces.append(Piece(share, piece.high, q, piece.q_high, which, d, d_high))
            pieces.append(Piece(piece.low, share, piece.q_low, q, which, d_low, d))
        return True

    def _measure(self, which: list[int], q: np.ndarray, rows: RowSet, strict: bool) -> list[float]:
        """Values at the configuration `q`, where the model is; rows where the next command could
        matter."""
        measure, more, floors = self._quantities.measure, self._bounds.more, self._quantities.floors
        lowest, lowered = self._lowest, self._lowered
        self.measured += len(which)
        values = []
        for quantity in which:
            d = measure(quantity, q, rows, more[quantity])
            values.append(d)
            lowest[quantity] = min(d, lowest.get(quantity, d))
            floor = floors[quantity]
            if not d >= (lowered.get(quantity, floor) if lowered else floor):
                if self.worst < 0 or d < lowest[self.worst]:
                    self.worst = quantity
                if strict:
                    break
        return values

    def _ratchet(self, proven: bool, strict: bool) -> None:
        """Lower the floors of pairs that are nearer, raise them again as they part."""
        if not proven and strict:
            return  # This path is not taken.
        before = dict(self._lowered)
        self._lowered.clear()
        for pair, d in self._lowest.items():
            hard = self._quantities.floors[pair]
            floor = max(before.get(pair, hard), d) if proven else d - 1e-9
            if floor < hard:
                self._lowered[pair] = floor
