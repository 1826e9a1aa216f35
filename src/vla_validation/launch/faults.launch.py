# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot as its own launch file brings it up, with a relay in the middle of every topic."""

from __future__ import annotations

import os

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import SetRemap
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription
from vla_validation.faults.topics import TOPICS


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare('vla_bringup')
    # A rule for one node alone: who publishes speaks to the relay, who listens hears the relay.
    remaps = [SetRemap(f'{topic.publisher}:{topic.name}', topic.raw) for topic in TOPICS]
    robot = PythonLaunchDescriptionSource([share, os.sep, 'launch', os.sep, 'humanoid.launch.py'])
    return LaunchDescription([*remaps, IncludeLaunchDescription(robot)])
