# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where a chunk's time goes, in a ROS domain without a robot."""
