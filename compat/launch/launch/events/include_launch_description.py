# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A launch description is to be visited."""

from ..event import Event


class IncludeLaunchDescription(Event):
    name = 'launch.events.IncludeLaunchDescription'

    def __init__(self, launch_description) -> None:
        self.launch_description = launch_description
