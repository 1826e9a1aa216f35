# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The kinds of camera, one file each."""

SOURCES = ('mujoco', 'replay', 'usb', 'realsense')
