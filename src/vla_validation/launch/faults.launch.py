# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot of humanoid.launch.py, with its topics remapped to the relay of a fault campaign."""

from __future__ import annotations

import os

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import SetRemap
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription
from vla_validation.faults.message_faults import MODE_WITHOUT, RAW


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare('vla_bringup')
    # For the publishing node alone: it publishes to the relay, the others subscribe to the relay.
    remaps = [
        SetRemap(f'{topic.publisher}:{topic.name}', RAW + topic.name) for topic in MODE_WITHOUT
    ]
    robot = PythonLaunchDescriptionSource([share, os.sep, 'launch', os.sep, 'humanoid.launch.py'])
    return LaunchDescription([*remaps, IncludeLaunchDescription(robot)])
