# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bring a robot arm up: the launch of humanoid.launch.py with an arm's defaults.

    ros2 launch vla_bringup arm.launch.py robot:=panda
    ros2 launch vla_bringup arm.launch.py --show-args

Same nodes, same safety path; a robot without feet gets no balance monitor. The scripted policy
moves any arm; the shipped network knows the humanoid only.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from launch import LaunchDescription

DEFAULTS = {'robot': 'ur5e', 'policy': 'scripted'}


def generate_launch_description() -> LaunchDescription:
    spec = spec_from_file_location(
        'humanoid_launch', Path(__file__).with_name('humanoid.launch.py')
    )
    humanoid = module_from_spec(spec)
    spec.loader.exec_module(humanoid)
    return humanoid.generate_launch_description(DEFAULTS)
