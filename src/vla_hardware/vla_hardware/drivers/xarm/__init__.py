# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""UFACTORY xArm 5, 6, 7, Lite 6 and 850 over the TCP protocol of their controller."""
