# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Barrier: shapes of the robot keep a distance from each other and from the surroundings."""

from __future__ import annotations

import cython

from vla_robot.collision import CollisionModel, wrench
from vla_safety.coupled.constraint_rows import RowSet, Subject
from vla_safety.violations import ViolationKind

SPARE = 1e-3
"""m that the proof keeps between shapes, between the configurations that were measured."""


COMPILED: bool = cython.compiled


@cython.cclass
class CollisionBarrier:
    """h = d(q) − margin of each pair of shapes; ∇h is the wrench along the line between the nearest
    points, times the Jacobian.

    Args:
        model: with the pairs.
        margin: m, where the barrier is zero.
        floor: m, what a pair must keep at every measured configuration.
    """

    subjects = cython.declare(list, visibility='readonly')
    distance_bounds = cython.declare(object, visibility='readonly')
    zero = cython.declare(cython.double, visibility='readonly')
    floor = cython.declare(cython.double, visibility='readonly')
    spare = cython.declare(cython.double, visibility='readonly')
    uses_mass = cython.declare(cython.bint, visibility='readonly')
    _model: object

    def __init__(self, model: CollisionModel, margin: float, floor: float) -> None:
        self._model = model
        self.subjects = [Subject(ViolationKind.COLLISION, f'{a}-{b}') for a, b in model.pairs]
        self.distance_bounds = model.distance_bounds
        self.zero, self.floor, self.spare = margin, floor, SPARE
        self.uses_mass = False

    def measure(
        self, index: cython.Py_ssize_t, q: object, rows: RowSet, more: cython.double
    ) -> cython.double:
        """The distance of a pair; see `barriers`."""
        result = self._model.measure(index)
        distance: cython.double = result.min_distance
        clearance: cython.double = distance - self.zero
        if not clearance >= more:
            signs = self._model.signs[index]
            rows.add(self.subjects[index], clearance, self.zero, wrench(result), signs)
        return distance
