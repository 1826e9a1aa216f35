# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Policies: observation and chunk types, bundles, runtimes and remote clients. No ROS."""
