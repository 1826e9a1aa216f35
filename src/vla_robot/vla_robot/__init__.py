# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Robots and the robot model: joint order, limits, groups, poses, kinematics, collision pairs."""

from vla_robot.kinematics import Kinematics
from vla_robot.loading import load_robot
from vla_robot.robot_model import (
    Camera,
    FootBox,
    JointLimits,
    Reading,
    RobotModel,
    ServoGains,
    Simulation,
    Stops,
)

__all__ = [
    'Camera',
    'FootBox',
    'JointLimits',
    'Kinematics',
    'Reading',
    'RobotModel',
    'ServoGains',
    'Simulation',
    'Stops',
    'load_robot',
]
