# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Universal Robots UR3e to UR16e: RTDE for state and targets, a program of ours in the robot."""
