# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot of humanoid.launch.py, with its topics remapped to the relay of a fault campaign."""

import os

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import SetRemap
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from vla_common.topics import BY_NAME
from vla_validation.faults.message_faults import MODES_WITHOUT, RAW


def remaps(context: LaunchContext) -> list[SetRemap]:
    """For the publishing node alone: it publishes to the relay, the others subscribe to it."""
    names = context.launch_configurations['relayed_topics'].split(',')
    return [SetRemap(f'{BY_NAME[name].publisher}:{name}', RAW + name) for name in names]


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare('vla_bringup')
    relayed = DeclareLaunchArgument(
        'relayed_topics',
        default_value=','.join(topic.name for topic in MODES_WITHOUT),
        description='topics that pass through vla_validation.faults.relay',
    )
    robot = PythonLaunchDescriptionSource([share, os.sep, 'launch', os.sep, 'humanoid.launch.py'])
    include = IncludeLaunchDescription(robot)
    return LaunchDescription([relayed, OpaqueFunction(function=remaps), include])
