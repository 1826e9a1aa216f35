# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Actions for the launch descriptions of tests."""

from launch._subset import refusing_getattr

from .ready import ReadyToTest

__all__ = ['ReadyToTest']

__getattr__ = refusing_getattr(__name__)
