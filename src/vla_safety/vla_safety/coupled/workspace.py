# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The end effectors stay in a box that is fixed to the base."""

from __future__ import annotations

from collections.abc import Sequence

import cython
import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.coupled.constraint_rows import RowSet, Subject
from vla_safety.violations import ViolationKind

COMPILED: bool = cython.compiled


@cython.cclass
class Workspace:
    """Rows of the points that would be outside at their brake's end: x ≥ lower, x ≤ upper.

    Args:
        model: shared with the other barriers.
        frames: end effectors, by the robot's names.
        lower, upper: (3,) m in the base's frame.

    Attributes:
        subjects: of each frame.
        levers: (frames, n) m/rad, the most by which each joint moves each.
    """

    subjects = cython.declare(list, visibility='public')
    levers = cython.declare(object, visibility='public')
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
        self._lower = np.array(lower, dtype=float)
        self._upper = np.array(upper, dtype=float)
        self._frames = []
        self.subjects = [Subject(ViolationKind.WORKSPACE, name) for name in frames]
        self.levers = np.array([model.frame_levers(model.frame_id(name)) for name in frames])
        self.levers = self.levers.reshape(len(frames), -1)
        for name in frames:
            frame = model.frame_id(name)
            subjects = [Subject(ViolationKind.WORKSPACE, f'{name} {axis}') for axis in 'xyz']
            self._frames.append((frame, model.frame_signs(frame), subjects))

    def append(
        self, which: cython.Py_ssize_t, model: CollisionModel, rows: RowSet, more: cython.double
    ) -> cython.double:
        """Add rows of one frame at the model's configuration.

        Args:
            which: of the frames.
            more: m, how far the next command can move it at most.

        Returns:
            m, its distance from the nearest side, negative outside.
        """
        axis: cython.Py_ssize_t
        side: cython.int
        limit: cython.double
        clearance: cython.double
        a: cython.double
        b: cython.double
        c: cython.double
        least: cython.double = float('inf')
        frame, signs, subjects = self._frames[which]
        point: cython.double[:] = model.frame(frame)[1]
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
