# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Robots and the robot model: joint order, limits, groups, poses, kinematics, collision pairs.

The names below are imported when they are used first: Pinocchio takes 0.4 s and 64 MB, which the
launch, which only looks into a directory, does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vla_robot.gripper import Gripper
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
    'Gripper',
    'JointLimits',
    'Kinematics',
    'Reading',
    'RobotModel',
    'ServoGains',
    'Simulation',
    'Stops',
    'load_robot',
]

_HOME = {'Gripper': 'gripper', 'Kinematics': 'kinematics', 'load_robot': 'loading'}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'vla_robot.{_HOME.get(name, "robot_model")}'), name)
