# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The barriers of a robot as one numbered list of quantities.

A barrier (a class per file: `collision`, `workspace`, `support`) measures some quantities h, in m,
at the configuration where the model is placed, and adds rows ∇h where the next command could bring
h to its zero. It has

    subjects           of each quantity, for the report
    distance_bounds    (m, n) m/rad, the most by which each joint changes each quantity
    zero               value at which the barrier ends
    floor              value that each must keep where it is measured
    spare              the same between the measured configurations
    uses_mass          whether the model has to be placed with its center of mass
    measure(index, q, rows, more) -> m
"""

from __future__ import annotations

from collections.abc import Sequence

import cython
import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.coupled.constraint_rows import RowSet

COMPILED: bool = cython.compiled


@cython.cclass
class BarrierSet:
    """The quantities of several barriers, numbered in their order.

    Args:
        model: shared with the barriers.
        barriers: see the module.

    Attributes:
        distance_bounds: (m, n). zeros, floors, spares, subjects: of each quantity.
    """

    distance_bounds = cython.declare(object, visibility='readonly')
    zeros = cython.declare(list, visibility='readonly')
    floors = cython.declare(list, visibility='readonly')
    spares = cython.declare(list, visibility='readonly')
    subjects = cython.declare(list, visibility='readonly')
    _model: object
    _measures: list
    _indices: list
    _with_mass: set

    def __init__(self, model: CollisionModel, barriers: Sequence[object]) -> None:
        self._model = model
        self.distance_bounds = np.vstack([barrier.distance_bounds for barrier in barriers])
        self.zeros, self.floors, self.spares, self.subjects = [], [], [], []
        self._measures, self._indices, self._with_mass = [], [], set()
        for barrier in barriers:
            count = len(barrier.subjects)
            if barrier.uses_mass:
                self._with_mass.update(range(len(self.subjects), len(self.subjects) + count))
            self.subjects += barrier.subjects
            self.zeros += [barrier.zero] * count
            self.floors += [barrier.floor] * count
            self.spares += [barrier.spare] * count
            self._measures += [barrier.measure] * count
            self._indices += range(count)

    def place(self, q: np.ndarray, which: list) -> None:
        """Place the model at the configuration (n,) to measure `which` there."""
        self._model.place(q, mass=not self._with_mass.isdisjoint(which))

    def measure(
        self, quantity: cython.Py_ssize_t, q: np.ndarray, rows: RowSet, more: cython.double
    ) -> cython.double:
        """m at the configuration `q` (n,) where the model is; adds rows where `more` m, the most
        that the next command changes it by, could matter."""
        return self._measures[quantity](self._indices[quantity], q, rows, more)
