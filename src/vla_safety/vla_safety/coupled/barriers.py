# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the barriers are about, a number each: pairs of shapes, hands, the centre of mass."""

from __future__ import annotations

import cython
import numpy as np

from vla_robot.collision import CollisionModel, wrench
from vla_safety.coupled.constraint_rows import RowSet, Subject
from vla_safety.coupled.support import Support
from vla_safety.coupled.workspace import Workspace
from vla_safety.violations import ViolationKind

SPARE = 1e-3
"""m that the proof keeps between shapes, between the configurations that were measured."""

SLACK = 2e-3
"""m by which a hand or the centre of mass may end up beyond its barrier: what a linear row loses on
a bent way. What would take it further is not proven."""

SOFT_SPARE = -1e-2
"""m, the same between the configurations that were measured. Nothing breaks there."""


COMPILED: bool = cython.compiled


@cython.cclass
class BarrierFunctions:
    """Numbered: first the model's pairs, then the hands, last the centre of mass.

    Args:
        model: placed at what is measured.
        workspace, support: barriers of their own.
        margin: m, where a pair's barrier is zero; the others have margins of their own.
        floor: m, what a pair must really keep at every configuration measured.

    Attributes:
        pairs: how many pairs there are.
        levers: (m, n) the most by which each quantity changes per rad of each joint.
        zeros: value at which each barrier ends. floors: value that each must keep where it is
            measured. spares: the same in between.
        subjects: for the report.
    """

    pairs = cython.declare(cython.Py_ssize_t, visibility='readonly')
    mass = cython.declare(cython.Py_ssize_t, visibility='readonly')
    levers = cython.declare(object, visibility='readonly')
    zeros = cython.declare(list, visibility='readonly')
    floors = cython.declare(list, visibility='readonly')
    spares = cython.declare(list, visibility='readonly')
    subjects = cython.declare(list, visibility='readonly')
    _model: object
    _workspace: object
    _support: object
    _margin: cython.double

    def __init__(
        self,
        model: CollisionModel,
        workspace: Workspace,
        support: Support,
        margin: float,
        floor: float,
    ) -> None:
        self._model, self._workspace, self._support = model, workspace, support
        self._margin = margin
        self.pairs = len(model.pairs)
        hands = len(workspace.subjects)
        self.mass = self.pairs + hands
        self.levers = np.vstack([model.levers, workspace.levers, support.levers])
        self.zeros = [margin] * self.pairs + [0.0] * (hands + 1)
        self.floors = [floor] * self.pairs + [-SLACK] * (hands + 1)
        self.spares = [SPARE] * self.pairs + [SOFT_SPARE] * (hands + 1)
        self.subjects = [
            *(Subject(ViolationKind.COLLISION, f'{a}-{b}') for a, b in model.pairs),
            *workspace.subjects,
            support.subject,
        ]

    def place(self, q: np.ndarray, which: list[int]) -> None:
        """Go to the configuration (n,) to measure `which` there."""
        self._model.place(q, mass=self.mass in which)

    def measure(
        self, quantity: cython.Py_ssize_t, q: np.ndarray, rows: RowSet, more: cython.double
    ) -> cython.double:
        """m at the configuration `q` (n,) where the model is; adds rows where `more` m, the most
        that the next command changes it by, could matter."""
        distance: cython.double
        clearance: cython.double
        if quantity < self.pairs:
            result = self._model.measure(quantity)
            distance = result.min_distance
            clearance = distance - self._margin
            if not clearance >= more:
                rows.add(
                    self.subjects[quantity],
                    clearance,
                    self._margin,
                    wrench(result),
                    self._model.signs[quantity],
                )
            return distance
        if quantity == self.mass:
            return self._support.append(self._model, rows, more, q)
        return self._workspace.append(quantity - self.pairs, self._model, rows, more)
