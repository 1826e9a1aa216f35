# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Barrier: the center of mass stays over the feet.

The commanded posture is known exactly. With its soles flat on level ground, the robot in that
posture has its center of mass at one place over the soles, whatever the IMU reports and however
late. So the barrier is about the posture at the end of its brake, in the frame of a sole. The
balance monitor reports which soles are on the ground; without it all are assumed to be. Keeping the
robot upright in that posture, against pushes and speeds, is the task of vla_balance.
"""

from collections.abc import Sequence

import numpy as np

from vla_common.polygon import convex_hull
from vla_robot import RobotModel
from vla_robot.collision import CollisionModel
from vla_safety.coupled.constraint_rows import SLACK, SOFT_SPARE, RowSet, Subject
from vla_safety.violations import ViolationKind

LEAST_AREA = 1e-4
"""m²; a smaller support polygon counts as none."""


def inner_half_planes(corners: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """(normals (k, 2) inwards, offsets (k,)): inside is normals·x ≥ offsets.

    A polygon without area (less than three corners, all on a line, not finite) has none: (0, 2).
    """
    points = np.array(corners, dtype=float).reshape(-1, 2)
    following = np.roll(points, -1, axis=0)
    along = following - points
    area = 0.5 * float((points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum())
    lengths = np.hypot(along[:, 0], along[:, 1])
    if not area >= LEAST_AREA or not (lengths > 0.0).all():
        return np.zeros((0, 2)), np.zeros(0)
    normals = np.column_stack([-along[:, 1], along[:, 0]]) / lengths[:, None]
    return normals, (normals * points).sum(axis=1)


class Support:
    """h = n·x − offset − margin of each edge of the support polygon, x the center of mass in the
    frame of a sole; ∇h = n·J of x relative to that sole. One quantity: the smallest h.

    Args:
        robot: with foot_boxes.
        model: shared with the other barriers.
        margin: m, how far inside the polygon's edge the row is zero.
    """

    def __init__(self, robot: RobotModel, model: CollisionModel, margin: float) -> None:
        self._model, self._margin = model, margin
        self.zero, self.floor, self.spare, self.uses_mass = 0.0, -SLACK, SOFT_SPARE, True
        self._feet = []
        for name, box in robot.foot_boxes.items():
            frame = model.frame_id(name)
            self._feet.append((frame, box.corners, model.frame_signs(frame)))
        self._on_ground = (True,) * len(self._feet)
        self._legs = robot.groups['legs']
        self.subjects = [Subject(ViolationKind.CENTRE_OF_MASS, 'support polygon')]
        self._key: object = None
        self._normals, self._offsets = np.zeros((0, 2)), np.zeros(0)
        self._standing = sum((signs for _, _, signs in self._feet), np.zeros(robot.n)) > 0
        self.distance_bounds = self.update_bounds().reshape(1, -1)

    def update_bounds(self) -> np.ndarray:
        """(n,) distance bounds with the masses that the model has now."""
        bounds = self._model.com_distance_bounds()
        # A joint of the standing leg moves everything above it.
        bounds[self._standing] = np.maximum(bounds[self._standing], 1.5)
        return bounds

    def set_contacts(self, left: bool, right: bool) -> bool:
        """The feet that carry the robot, in the order of robot.foot_boxes.

        Returns:
            Whether that changed: earlier measurements are void.
        """
        before, self._on_ground = self._on_ground, (left, right)[: len(self._feet)]
        return before != self._on_ground

    def measure(self, index: int, q: np.ndarray, rows: RowSet, more: float) -> float:
        """How far the center of mass is inside the margin, negative outside; infinite without a
        support polygon. The model is placed with mass at `q`; see `barriers`."""
        model = self._model
        feet = [f for f, on in zip(self._feet, self._on_ground, strict=False) if on]
        if not feet:
            return float('inf')
        frame, _, signs = feet[0]
        rotation, origin = model.frame(frame)
        key = (self._on_ground, q[self._legs].tobytes())
        if key != self._key:
            # The polygon changes only when a leg does.
            self._key = key
            self._normals, self._offsets = inner_half_planes(
                self._corners(model, feet, rotation, origin)
            )
        com = model.com
        x, y, _ = ((com - origin) @ rotation).tolist()
        clearance = self._normals @ (x, y) - self._offsets - self._margin
        least = min(clearance.tolist(), default=float('inf'))
        near = (clearance < more).nonzero()[0]
        if not near.size:
            return least
        normals = self._normals[near] @ rotation[:, :2].T
        extra = model.com_rows(normals)
        x, y, z = com.tolist()
        for k, edge in enumerate(near.tolist()):
            # Less the motion of the sole itself at that point: −(n, c × n).
            a, b, c = normals[k].tolist()
            rows.add(
                self.subjects[0],
                float(clearance[edge]),
                self._margin,
                (-a, -b, -c, z * b - y * c, x * c - z * a, y * a - x * b),
                signs,
                extra[k],
            )
        return least

    @staticmethod
    def _corners(model, feet, rotation, origin) -> np.ndarray:
        points = []
        for frame, corners, _ in feet:
            other, place = model.frame(frame)
            flat = (corners @ other.T + place - origin) @ rotation
            points += [(x, y) for x, y, _ in flat.tolist()]
        return convex_hull(points)
