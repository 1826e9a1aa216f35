# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Quadratic program: the velocity nearest to the wanted one, in the box and above the rows."""

import math
from typing import Protocol

import daqp
import numpy as np

from vla_safety.coupled.limits import Infeasible
from vla_safety.kernel import barriers

SOLVED = 1
"""DAQP's exit flag for an optimum."""

TOLERANCE = 1e-6
"""Of rows and bounds (m/s, rad/s): DAQP's primal tolerance."""

STEPS = 30
"""Of Hildreth's method, before DAQP is called."""


class NearestVelocity(Protocol):
    """Solves min ½‖u − wanted‖² subject to low ≤ u ≤ high and rows·u ≥ floor."""

    def solve(
        self,
        wanted: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        rows: np.ndarray,
        floor: np.ndarray,
    ) -> np.ndarray | None:
        """Return u (n,), or None where there is none. `rows` (k, n), `floor` (k,)."""
        ...


class DaqpSolver:
    """DAQP: a dual active-set method (Arnström, Bemporad, Axehill 2022, IEEE TAC 67(8)).

    The frequent problem that few rows decide is tried first by Hildreth's method: a call to DAQP
    costs more than solving it.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._free, self._answer = np.zeros(n), np.zeros(n)
        self._hessian = np.eye(n)
        self._reserve(16)

    def _reserve(self, rows: int) -> None:
        size = self._n + rows
        self._multipliers = np.zeros(rows)
        self._upper, self._lower = np.full(size, 1e30), np.zeros(size)
        self._sense = np.zeros(size, dtype=np.int32)

    def solve(
        self,
        wanted: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        rows: np.ndarray,
        floor: np.ndarray,
    ) -> np.ndarray | None:
        if len(floor) > len(self._multipliers):
            self._reserve(2 * len(floor))
        if barriers.solve_hildreth(
            wanted,
            low,
            high,
            rows,
            floor,
            0.01 * TOLERANCE,
            STEPS,
            self._free,
            self._multipliers,
            self._answer,
        ):
            return self._answer.copy()
        n, size = self._n, self._n + len(floor)
        self._upper[:n] = high
        self._lower[:n] = low
        self._lower[n:size] = floor
        answer, _, flag, _ = daqp.solve(
            self._hessian, -wanted, rows, self._upper[:size], self._lower[:size], self._sense[:size]
        )
        return answer if flag == SOLVED else None


def nearest(
    solver: NearestVelocity,
    wanted: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    rows: np.ndarray,
    floor: np.ndarray,
) -> np.ndarray:
    """The solver's answer, with its input and output checked.

    DAQP treats a row with a NaN as satisfied, so the input is checked before the call, and the
    answer against bounds and rows after it.

    Raises:
        Infeasible: the problem is not finite, has no solution, or the answer does not satisfy it.
    """
    if not barriers.is_finite(wanted, rows, floor):
        raise Infeasible('problem not finite')
    answer = solver.solve(wanted, low, high, rows, floor)
    if answer is None:
        raise Infeasible('no common velocity')
    if answer.shape != wanted.shape or not math.isfinite(answer.dot(answer)):
        raise Infeasible('answer not finite')
    if not barriers.is_feasible(answer, low, high, rows, floor, 10.0 * TOLERANCE):
        raise Infeasible('answer breaks a row')
    return answer
