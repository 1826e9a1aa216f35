# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The end effectors stay in a box that is fixed to the base."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.coupled.rows import RowSet, Subject
from vla_safety.violations import Kind


class Workspace:
    """Rows of the points that would be outside at their brake's end: x ≥ lower, x ≤ upper.

    Args:
        model: shared with the other barriers.
        frames: end effectors, by the robot's names.
        lower, upper: (3,) m in the base's frame.
    """

    def __init__(
        self,
        model: CollisionModel,
        frames: Sequence[str],
        lower: Sequence[float],
        upper: Sequence[float],
    ) -> None:
        self._lower, self._upper = tuple(lower), tuple(upper)
        self._frames = []
        for name in frames:
            frame = model.frame_id(name)
            subjects = [
                (Subject(Kind.WORKSPACE, f'{name} {axis}'), *unit)
                for axis, unit in zip('xyz', np.eye(3).tolist(), strict=True)
            ]
            self._frames.append(
                (frame, model.frame_signs(frame), model.frame_levers(frame), subjects)
            )

    def append(self, model: CollisionModel, rows: RowSet, reach: np.ndarray) -> None:
        """Add rows at the model's configuration.

        Args:
            reach: (n,) how far the next command can move each joint's stop.
        """
        for frame, signs, levers, subjects in self._frames:
            x, y, z = point = model.frame(frame)[1].tolist()
            near = float(levers.dot(reach))
            for value, low, high, (subject, ex, ey, ez) in zip(
                point, self._lower, self._upper, subjects, strict=True
            ):
                if not value - low >= near:
                    wrench = (ex, ey, ez, y * ez - z * ey, z * ex - x * ez, x * ey - y * ex)
                    rows.add(subject, value - low, low, wrench, signs)
                if not high - value >= near:
                    ex, ey, ez = -ex, -ey, -ez
                    wrench = (ex, ey, ez, y * ez - z * ey, z * ex - x * ez, x * ey - y * ex)
                    rows.add(subject, high - value, high, wrench, signs)
