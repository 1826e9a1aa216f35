# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Gravity feed-forward."""

from __future__ import annotations

import numpy as np

from vla_common.rotation import rotation_matrix
from vla_robot import RobotModel


class Gravity:
    """Feed-forward torque of the upper body."""

    def __init__(self, robot: RobotModel) -> None:
        self._kinematics = robot.kinematics()

    def __call__(self, position: np.ndarray, orientation: np.ndarray) -> np.ndarray:
        """(n,) Nm. position: (n,) rad; orientation: (4,) wxyz of the base."""
        return self._kinematics.gravity_torque(position, rotation_matrix(orientation))


<<<<<<< HEAD
class Hands:
    """Positions of the hands in the base's frame, flat: how near two poses are to each other."""

    def __init__(self, robot: RobotModel) -> None:
        self._kinematics = robot.kinematics()
        self._hands = [hand for hand in ('left_hand', 'right_hand') if hand in robot.frames]

    def __call__(self, position: np.ndarray) -> np.ndarray:
        if not self._hands:
            return position.copy()
        self._kinematics.update(position)
        return np.concatenate([self._kinematics.frame(hand)[1] for hand in self._hands])
=======
def rotation(wxyz: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a unit quaternion wxyz."""
    w, x, y, z = wxyz.tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
>>>>>>> control
