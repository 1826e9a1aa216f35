# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The fault campaign: everything that can break is broken, one at a time, in simulation."""
