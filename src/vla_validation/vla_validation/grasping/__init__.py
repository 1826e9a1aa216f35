# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pick, lift, hold and release in simulation, through the safety filter and the servo loop."""
