# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot's links as points and lines, in the balance monitor's frame "support"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pinocchio

from vla_common.messages import JointOrder
from vla_common.rotation import level_rotation
from vla_monitor.dashboard.status import numbers
from vla_robot import RobotModel


class Skeleton:
    """Forward kinematics of what the page draws; not thread-safe."""

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self._kinematics = robot.kinematics()
        self._order = JointOrder(robot.joint_names)
        self._position = np.zeros(robot.n)
        self._links, self._bones = _tree(robot)

    def description(self) -> dict[str, Any]:
        """What does not change: joints with limits, links, and the pairs of links to connect."""
        limits = self._robot.limits
        return {
            'name': self._robot.name,
            'joints': list(self._robot.joint_names),
            'lower': numbers(limits.lower),
            'upper': numbers(limits.upper),
            'links': self._links,
            'bones': self._bones,
        }

    def joints(self, names: Any, positions: Any) -> list[float | None]:
        """Positions (rad) in the robot's order. Raises ValueError: other joints."""
        return numbers(self._order.read(names, positions, self._position))

    def points(
        self, orientation: np.ndarray | None, com: np.ndarray | None
    ) -> list[list[float | None]]:
        """(x, y, z) of each link for the joints read last.

        Args:
            orientation: (4,) wxyz of the base; its heading is that of the frame.
            com: (3,) m, "support"; without it the lowest point of the robot is on the ground.
        """
        if not np.isfinite(self._position).all():
            return []
        rotation = np.eye(3)
        if orientation is not None and np.isfinite(orientation).all() and orientation.any():
            rotation = level_rotation(orientation)
        self._kinematics.update(self._position, base_rotation=rotation)
        points = np.array([self._kinematics.frame(link)[1] for link in self._links])
        if com is not None and np.isfinite(com).all():
            points += com - self._kinematics.com
        else:
            points[:, 2] -= points[:, 2].min()
        return [numbers(point, 3) for point in points]


def _tree(robot: RobotModel) -> tuple[list[str], list[list[int]]]:
    """Links that a joint moves and the frames of robot.yaml, each with its parent's link."""
    model = robot.pinocchio_model
    links: list[str] = []
    bones: list[list[int]] = []
    of_joint: dict[int, int] = {}
    for frame in model.frames:
        if frame.type != pinocchio.FrameType.BODY or not frame.parentJoint:
            continue
        joint = frame.parentJoint
        first = joint not in of_joint
        if not first and frame.name not in robot.frames.values():
            continue
        above = of_joint.get(model.parents[joint]) if first else of_joint[joint]
        if first:
            of_joint[joint] = len(links)
        if above is not None:
            bones.append([above, len(links)])
        links.append(frame.name)
    return links, bones
