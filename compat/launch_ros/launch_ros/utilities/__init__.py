# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Namespaces and parameters in the forms that ROS takes."""

from launch._subset import refusing_getattr

from .namespace_utils import (
    is_namespace_absolute,
    is_root_namespace,
    make_namespace_absolute,
    prefix_namespace,
)
from .parameters import evaluate_parameter_dict, evaluate_parameters, normalize_parameters

__all__ = [
    'evaluate_parameter_dict',
    'evaluate_parameters',
    'is_namespace_absolute',
    'is_root_namespace',
    'make_namespace_absolute',
    'normalize_parameters',
    'prefix_namespace',
]

__getattr__ = refusing_getattr(__name__)
