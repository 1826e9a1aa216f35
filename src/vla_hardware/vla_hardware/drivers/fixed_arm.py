# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What all arms on a fixed base have in common: no IMU, no feet."""

from __future__ import annotations

import numpy as np

from vla_hardware.drivers.base import Gains
from vla_robot import Reading, RobotModel

IMU_AT_REST = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 9.81])


def arm_reading(position: np.ndarray, velocity: np.ndarray, effort: np.ndarray) -> Reading:
    """The reading of an arm whose base stands level. (n,) each: rad, rad/s, Nm."""
    orientation, angular_velocity, acceleration = IMU_AT_REST
    return Reading(
        position=position,
        velocity=velocity,
        effort=effort,
        orientation=orientation,
        angular_velocity=angular_velocity,
        linear_acceleration=acceleration,
        left_wrench=np.zeros(6),
        right_wrench=np.zeros(6),
    )


def stiffness_share(robot: RobotModel, gains: Gains) -> float:
    """The largest share of a joint's whole stiffness, 0 to 1, for a robot with gains of its own."""
    whole = robot.servo.kp
    return min(float(np.max(gains.kp / np.where(whole > 0.0, whole, 1.0))), 1.0)
