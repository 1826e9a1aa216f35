# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Gains of servos and balance for a robot of one's own, searched in simulation."""
