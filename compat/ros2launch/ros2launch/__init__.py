# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `ros2launch` (Jazzy)."""
