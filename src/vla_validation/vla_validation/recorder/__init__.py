# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation recorder`: what a recording costs, loses, and survives."""
