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
        self.subjects = [Subject(Kind.WORKSPACE, name) for name in frames]
        self.levers = np.array([model.frame_levers(model.frame_id(name)) for name in frames])
        self.levers = self.levers.reshape(len(frames), -1)
        for name in frames:
            frame = model.frame_id(name)
            subjects = [
                (Subject(Kind.WORKSPACE, f'{name} {axis}'), *unit)
                for axis, unit in zip('xyz', np.eye(3).tolist(), strict=True)
            ]
            self._frames.append((frame, model.frame_signs(frame), subjects))

    def append(self, which: int, model: CollisionModel, rows: RowSet, more: float) -> float:
        """Add rows of one frame at the model's configuration.

        Args:
            which: of the frames.
            more: m, how far the next command can move it at most.

        Returns:
            m, its distance from the nearest side, negative outside.
        """
        frame, signs, subjects = self._frames[which]
        x, y, z = point = model.frame(frame)[1].tolist()
        least = float('inf')
        for value, low, high, (subject, ex, ey, ez) in zip(
            point, self._lower, self._upper, subjects, strict=True
        ):
            least = min(least, value - low, high - value)
            for sign, clearance, limit in ((1.0, value - low, low), (-1.0, high - value, high)):
                if not clearance >= more:
                    a, b, c = sign * ex, sign * ey, sign * ez
                    wrench = (a, b, c, y * c - z * b, z * a - x * c, x * b - y * a)
                    rows.add(subject, clearance, limit, wrench, signs)
        return least
