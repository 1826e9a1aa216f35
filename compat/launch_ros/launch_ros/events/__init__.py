# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of nodes."""

from launch._subset import refusing_getattr

__getattr__ = refusing_getattr(__name__)
