# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What-if: the supervisor's own core and health monitor on a scripted robot."""
