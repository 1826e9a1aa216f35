# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What grows while the robot works for an hour."""
