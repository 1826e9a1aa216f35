# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Policies on another machine or in another Python: openpi and GR00T. No pickle."""
