# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A hand that follows a square in simulation."""
