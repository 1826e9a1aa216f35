# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A session's inputs through the safety filter and the supervisor's decision, offline."""
