# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 command line: the `ros2` command and what its commands share."""
