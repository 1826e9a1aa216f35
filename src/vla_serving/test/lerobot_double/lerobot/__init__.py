# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""As much of LeRobot's public API as lerobot_server.py calls; the policy adds 0.1 per point."""
