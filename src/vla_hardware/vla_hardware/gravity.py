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
