# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Measurements of the policy server under many robots."""
