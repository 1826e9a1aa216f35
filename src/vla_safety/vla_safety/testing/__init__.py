# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Synthetic robots and the independent box-limit oracle, for tests and vla_validation."""
