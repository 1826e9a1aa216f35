# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The opposite condition on the value of a launch configuration."""

from .launch_configuration_equals import LaunchConfigurationEquals


class LaunchConfigurationNotEquals(LaunchConfigurationEquals):
    """Holds when the configuration has another value; for None, when it is set."""

    def _holds(self, context) -> bool:
        return not super()._holds(context)
