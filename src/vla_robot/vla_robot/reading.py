# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a robot's sensors say, simulated or real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reading:
    """One reading of all sensors, at one instant. Joint arrays are (n,) in robot order.

    position rad, velocity rad/s, effort Nm. orientation: (4,) wxyz of the IMU in the world.
    angular_velocity (3,) rad/s and linear_acceleration (3,) m/s² in the IMU's frame; at rest the
    latter is +9.81 upwards (what an accelerometer feels, as in REP-145). left_wrench, right_wrench:
    (6,) force N and torque Nm that the ground exerts on the foot, about the foot frame's origin and
    in its axes; zeros for a robot without feet.
    """

    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    orientation: np.ndarray
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray
    left_wrench: np.ndarray
    right_wrench: np.ndarray
