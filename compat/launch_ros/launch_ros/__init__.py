# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `launch_ros` (Jazzy): the subset a bring-up workspace uses."""

import sys

from launch._subset import refuse_unknown_names

from . import actions, parameter_descriptions, substitutions

refuse_unknown_names(sys.modules[__name__], actions, parameter_descriptions, substitutions)
