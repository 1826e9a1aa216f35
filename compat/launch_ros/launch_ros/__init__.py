# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `launch_ros` (Jazzy): the subset a bring-up workspace uses."""
# ruff: noqa: F401

from launch._subset import refusing_getattr

from . import actions, event_handlers, events, parameter_descriptions, substitutions

__getattr__ = refusing_getattr(__name__)
