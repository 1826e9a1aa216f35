# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Barrier: the end effectors stay in a box that is fixed to the base."""

from __future__ import annotations

from collections.abc import Sequence

import cython
import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.coupled.constraint_rows import SLACK, SOFT_SPARE, RowSet, Subject
from vla_safety.violations import ViolationKind

COMPILED: bool = cython.compiled


@cython.cclass
class Workspace:
    """h = x − lower and upper − x of each frame's position x, per axis; ∇h = ±(row of J).

    Args:
        model: shared with the other barriers.
        frames: end effectors, by the robot's names.
        lower, upper: (3,) m in the base's frame.

    Attributes: see `barriers`; one quantity per frame, its distance from the nearest side.
    """

    subjects = cython.declare(list, visibility='readonly')
    distance_bounds = cython.declare(object, visibility='readonly')
    zero = cython.declare(cython.double, visibility='readonly')
    floor = cython.declare(cython.double, visibility='readonly')
    spare = cython.declare(cython.double, visibility='readonly')
    uses_mass = cython.declare(cython.bint, visibility='readonly')
    _model: object
    _lower: cython.double[::1]
    _upper: cython.double[::1]
    _frames: list

    def __init__(
        self,
        model: CollisionModel,
        frames: Sequence[str],
        lower: Sequence[float],
        upper: Sequence[float],
    ) -> None:
        self._model = model
        self.zero, self.floor, self.spare, self.uses_mass = 0.0, -SLACK, SOFT_SPARE, False
        self._lower = np.array(lower, dtype=float)
        self._upper = np.array(upper, dtype=float)
        self._frames = []
        self.subjects = [Subject(ViolationKind.WORKSPACE, name) for name in frames]
        bounds = [model.frame_distance_bounds(model.frame_id(name)) for name in frames]
        self.distance_bounds = np.array(bounds).reshape(len(frames), len(model.columns))
        for name in frames:
            frame = model.frame_id(name)
            subjects = [Subject(ViolationKind.WORKSPACE, f'{name} {axis}') for axis in 'xyz']
            self._frames.append((frame, model.frame_signs(frame), subjects))

    def measure(
        self, index: cython.Py_ssize_t, q: object, rows: RowSet, more: cython.double
    ) -> cython.double:
        """The distance of a frame from the nearest side, negative outside; see `barriers`."""
        cython.declare(axis=cython.Py_ssize_t)
        cython.declare(side=cython.int)
        cython.declare(limit=cython.double, clearance=cython.double, a=cython.double)
        cython.declare(b=cython.double, c=cython.double)
        least: cython.double = float('inf')
        frame, signs, subjects = self._frames[index]
        point: cython.double[:] = self._model.frame(frame)[1]
        x: cython.double = point[0]
        y: cython.double = point[1]
        z: cython.double = point[2]
        for axis in range(3):
            for side in (1, -1):
                limit = self._lower[axis] if side > 0 else self._upper[axis]
                clearance = side * (point[axis] - limit)
                if not clearance >= least:
                    least = clearance
                if not clearance >= more:
                    a = side if axis == 0 else 0.0
                    b = side if axis == 1 else 0.0
                    c = side if axis == 2 else 0.0
                    wrench = (a, b, c, y * c - z * b, z * a - x * c, x * b - y * a)
                    rows.add(subjects[axis], clearance, limit, wrench, signs)
        return least
