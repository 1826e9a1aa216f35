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

A pair whose last known distance, less all that the joints can have moved since, is out of reach
of the path needs no measuring: "nearest pairs first", without ever missing one.
"""

from __future__ import annotations

import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.rows import RowSet, Subject
from vla_safety.violations import Kind

SPARE = 1e-3
"""m that the proof keeps between shapes."""


class SelfCollision:
    """The pairs' distances, tracked from command to command.

    Args:
        model: shared with the other barriers.
        acceleration: (n,) rad/s².
        margin: m, where the rows are zero.
        floor: m < margin, what a command must really keep at every configuration measured.
        max_configurations: measured on one path before it counts as not proven.
    """

    def __init__(
        self,
        model: CollisionModel,
        acceleration: np.ndarray,
        margin: float,
        floor: float,
        max_configurations: int,
    ) -> None:
        self._model = model
        self._acceleration = np.array(acceleration, dtype=float)
        self._margin = margin
        self._hard = floor
        self._max_configurations = max_configurations
        m, n = model.levers.shape
        self.subjects = [Subject(Kind.COLLISION, f'{a}-{b}') for a, b in model.pairs]
        self._at: np.ndarray | None = None
        self._nearest = np.full(m, -np.inf)
        self._floor = np.full(m, floor)
        self._moves = np.zeros((n, 3))
        self._speed = np.zeros(n)
        self._lowered = False
        self.measured = 0
        self.worst = -1

    def candidates(
        self, path: BrakePath, velocity: np.ndarray, period: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Pairs (k) that the path could bring near, and for each (k) m: how far the path can bring
        it together at most, and how much the next command can add to that. Last, how far the next
        command can move each joint's stop (n,) rad."""
        moves = self._moves
        if self._at is None:
            self._at = path.start.copy()
            self._nearest[:] = -np.inf
            moves[:, 0] = 0.0
        else:
            np.subtract(path.start, self._at, out=moves[:, 0])
            np.abs(moves[:, 0], out=moves[:, 0])
            self._at[:] = path.start
        moves[:, 1] = path.sweep
        np.abs(velocity, out=self._speed)
        # From the full brake to the other end of the box is 2aT.
        reach = self._speed + self._acceleration * (1.125 * period)
        reach *= 2.0 * period
        moves[:, 2] = reach
        came, way, more = (self._model.levers @ moves).T
        self._nearest -= came
        near = (self._nearest - way - more < self._margin).nonzero()[0]
        return near, way[near], more[near], moves[:, 2]

    def assess(
        self,
        path: BrakePath,
        near: np.ndarray,
        way: np.ndarray,
        more: np.ndarray,
        rows: RowSet,
        period: float,
        strict: bool,
    ) -> bool:
        """Measure the candidates; the model is placed at `path.stop`.

        Args:
            near, way, more: what `candidates` said.
            rows: gets the rows, and is closed for the stop; the model ends up somewhere else.
            strict: give up at the first configuration that is too near.

        Returns:
            Whether the path is proven to keep the floor.
        """
        self.measured = 0
        self.worst = -1
        if self._lowered:
            kept = self._floor[near]
            self._floor[:] = self._hard
            self._floor[near] = kept
            self._lowered = bool((kept < self._hard).any())
        pairs = near.tolist()
        far_end = self._measure(pairs, more, rows)
        lowest = far_end.copy()
        proven = True
        if not (far_end >= self._floor[near]).all():
            proven = False
            self.worst = pairs[int((far_end - self._floor[near]).argmin())]
            if strict:
                return False
        rows.close(self._model, path.duration)
        np.subtract(far_end, way, out=way)
        self._nearest[near] = np.maximum(self._nearest[near], way)
        # Lower bound on the way: half of what both ends are above what lies between.
        # A pair that began nearer than the floor is given 5 mm, or it could never part.
        spare = np.where(self._floor[near] < self._hard, self._floor[near] - 5e-3, SPARE)
        unsure = (self._nearest[near] + way < 2.0 * spare).nonzero()[0]
        if unsure.size and path.duration > 0.0:
            proven &= self._advance(
                path,
                near[unsure],
                more[unsure],
                spare[unsure],
                far_end[unsure],
                lowest,
                unsure,
                rows,
                period,
                strict,
            )
        if proven or not strict:
            self._ratchet(near, lowest, proven)
        return proven

    def _advance(
        self, path, near, more, spare, far_end, lowest, index, rows, period, strict
    ) -> bool:  # fmt: skip
        """Halve the way until every pair is proven, or too many configurations are measured."""
        model = self._model
        model.place(path.start)
        here = self._measure(near.tolist(), more, rows)
        rows.close(model, period)
        self._nearest[near] = here
        np.minimum.at(lowest, index, here)
        proven = True
        if not (here >= self._floor[near]).all():
            proven = False
            self.worst = int(near[(here - self._floor[near]).argmin()])
            if strict:
                return False
        pieces = [(0.0, 1.0, path.start, path.stop, np.arange(len(near)), here, far_end)]
        count = 2
        while pieces:
            low, high, q_low, q_high, which, d_low, d_high = pieces.pop()
            way = model.levers[near[which]] @ np.abs(q_high - q_low)
            unsure = (d_low + d_high - way < 2.0 * spare[which]).nonzero()[0]
            if not unsure.size:
                continue
            if count >= self._max_configurations:
                self.worst = int(near[which[unsure[0]]])
                return False
            which, d_low, d_high = which[unsure], d_low[unsure], d_high[unsure]
            middle = 0.5 * (low + high)
            time = path.time_of(middle)
            q = path.at(time)
            model.place(q)
            count += 1
            pairs = near[which]
            d = self._measure(pairs.tolist(), more[which], rows)
            rows.close(model, time)
            np.minimum.at(lowest, index[which], d)
            if not (d >= self._floor[pairs]).all():
                proven = False
                self.worst = int(pairs[(d - self._floor[pairs]).argmin()])
                if strict:
                    return False
            pieces.append((middle, high, q, q_high, which, d, d_high))
            pieces.append((low, middle, q_low, q, which, d_low, d))
        return proven

    def _measure(self, pairs: list[int], more: np.ndarray, rows: RowSet) -> np.ndarray:
        """(k) m at the model's configuration; adds a row where the next command could matter."""
        model, margin = self._model, self._margin
        self.measured += len(pairs)
        distances = []
        for pair, reach in zip(pairs, more.tolist(), strict=True):
            d = model.distance(pair)
            distances.append(d)
            if not d - margin >= reach:
                rows.add(
                    self.subjects[pair], d - margin, margin, model.wrench(pair), model.signs[pair]
                )
        return np.array(distances)

    def _ratchet(self, near: np.ndarray, lowest: np.ndarray, proven: bool) -> None:
        """A pair that is nearer than the floor (it began so) may stay or part, never approach."""
        if proven and not self._lowered:
            return
        floor = np.maximum(self._floor[near], lowest) if proven else lowest - 1e-9
        self._floor[near] = np.minimum(floor, self._hard)
        self._lowered = bool((floor < self._hard).any())
