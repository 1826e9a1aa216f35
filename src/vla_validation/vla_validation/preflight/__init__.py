# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Preflight: is this robot, with this bundle and configuration, fit to move?"""
