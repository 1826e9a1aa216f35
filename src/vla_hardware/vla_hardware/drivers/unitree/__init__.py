# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The Unitree G1: protocol, driver, and the process that speaks to the robot."""
