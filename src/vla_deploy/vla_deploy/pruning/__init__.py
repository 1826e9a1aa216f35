# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Fewer weights: single ones become zero, or whole channels, neurons and heads are cut out."""
