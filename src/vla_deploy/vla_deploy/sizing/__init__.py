# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Sizing: estimated latency of a bundle on computers that are not at hand."""
