# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""No two shapes meet while the robot brakes: distances along the brake path, and the proof.

The barrier of a pair is its distance along the *brake path* of a command (a backup barrier: Gurriet
et al. 2020, IEEE Access 8): the command is safe if the full brake from it, which needs nobody's
permission, touches nothing. Two uses:

- Rows for the QP: the distance at a few configurations of the path, and its gradient there.
- The proof that a path touches nothing, for every pair that could: between two configurations at
  which a pair's distance is d₁ and d₂, and between which no point of it can come nearer by more
  than w = Σᵢ leverᵢ·|Δqᵢ|, the distance is at least (d₁ + d₂ − w)/2 (conservative advancement,
  Mirtich 1996). Where that is not enough, the way is halved and measured there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vla_robot.collision import CollisionModel, wrench
from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.nearest_first import NearestFirst
from vla_safety.coupled.rows import RowSet, Subject
from vla_safety.violations import Kind

SPARE = 1e-3
"""m that the proof keeps between shapes, between the configurations that were measured."""

PARTING = 5e-3
"""m by which that may fall short for a pair that began nearer than the floor: it could not part."""


class Piece(NamedTuple):
    """A part of the way whose ends are measured: shares of the way, positions, pairs, distances."""

    low: float
    high: float
    q_low: np.ndarray
    q_high: np.ndarray
    pairs: list[int]
    d_low: list[float]
    d_high: list[float]


class SelfCollision:
    """The pairs' distances along a brake path.

    Args:
        model: placed at what is measured.
        bounds: knows which pairs are near; its first rows are the model's pairs.
        margin: m, where the rows are zero.
        floor: m < margin, what a command must really keep at every configuration measured.
        max_configurations: measured on one path before it counts as not proven.

    Attributes:
        subjects: of the pairs.
        measured: distances that the last path took.
        worst: the pair for which it was not proven; −1 if it was.
    """

    def __init__(
        self,
        model: CollisionModel,
        bounds: NearestFirst,
        margin: float,
        floor: float,
        max_configurations: int,
    ) -> None:
        self._model = model
        self._bounds = bounds
        self._margin = margin
        self._hard = floor
        # Pairs that are nearer than the floor (they began so) may stay or part, never approach.
        self._lowered: dict[int, float] = {}
        self._lowest: dict[int, float] = {}
        self._max_configurations = max_configurations
        self.subjects = [Subject(Kind.COLLISION, f'{a}-{b}') for a, b in model.pairs]
        self.measured = 0
        self.worst = -1

    def assess(
        self, path: BrakePath, near: list[int], rows: RowSet, period: float, strict: bool
    ) -> bool:
        """Measure the pairs `near` on a path; the model is placed at `path.stop`.

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
        far = self._measure(near, rows, strict)
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
        floor = self._lowered.get(pair)
        return SPARE if floor is None else min(SPARE, floor - PARTING)

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
        model, levers = self._model, self._model.levers
        model.place(path.start)
        here = self._measure(pairs, rows, strict)
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
            model.place(q)
            d = self._measure(which, rows, strict)
            if strict and self.worst >= 0:
                return False
            rows.close(time)
            pieces.append(Piece(share, piece.high, q, piece.q_high, which, d, d_high))
            pieces.append(Piece(piece.low, share, piece.q_low, q, which, d_low, d))
        return True

    def _measure(self, pairs: list[int], rows: RowSet, strict: bool) -> list[float]:
        """m at the model's configuration; adds a row where the next command could matter."""
        measure, more, margin = self._model.measure, self._bounds.more, self._margin
        lowest, lowered, hard = self._lowest, self._lowered, self._hard
        self.measured += len(pairs)
        distances = []
        for pair in pairs:
            result = measure(pair)
            d = result.min_distance
            distances.append(d)
            lowest[pair] = min(d, lowest.get(pair, d))
            if not d >= (lowered.get(pair, hard) if lowered else hard):
                if self.worst < 0 or d < lowest[self.worst]:
                    self.worst = pair
                if strict:
                    break
            if not d - margin >= more[pair]:
                rows.add(
                    self.subjects[pair], d - margin, margin, wrench(result), self._model.signs[pair]
                )
        return distances

    def _ratchet(self, proven: bool, strict: bool) -> None:
        """Lower the floors of pairs that are nearer, raise them again as they part."""
        if not proven and strict:
            return  # This path is not taken.
        before = dict(self._lowered)
        self._lowered.clear()
        for pair, d in self._lowest.items():
            floor = max(before.get(pair, self._hard), d) if proven else d - 1e-9
            if floor < self._hard:
                self._lowered[pair] = floor
