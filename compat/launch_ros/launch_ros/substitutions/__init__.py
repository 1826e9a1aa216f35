# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Packages and what is in them."""

from launch._subset import refusing_getattr

from .executable_in_package import ExecutableInPackage
from .find_package import FindPackage, FindPackagePrefix, FindPackageShare
from .parameter import Parameter

__all__ = [
    'ExecutableInPackage',
    'FindPackage',
    'FindPackagePrefix',
    'FindPackageShare',
    'Parameter',
]

__getattr__ = refusing_getattr(__name__)
