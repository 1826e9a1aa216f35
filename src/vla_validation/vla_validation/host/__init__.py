# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What this computer grants to a robot, and what to change."""
