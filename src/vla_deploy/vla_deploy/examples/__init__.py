# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Tiny policies of the kinds that people bring: what the verbs are tried on."""
