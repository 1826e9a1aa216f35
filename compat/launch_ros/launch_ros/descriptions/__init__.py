# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Descriptions of parts of nodes (no composable nodes: there is no rclcpp here)."""

from launch._subset import refusing_getattr

from ..parameter_descriptions import Parameter, ParameterFile, ParameterValue

__all__ = ['Parameter', 'ParameterFile', 'ParameterValue']

__getattr__ = refusing_getattr(__name__)
