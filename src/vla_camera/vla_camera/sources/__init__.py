# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Kinds of camera by name: one file and one line each. Other packages add theirs by entry point."""

from vla_common.registry import Registry

SOURCES = Registry(
    'vla.cameras',
    {
        'mujoco': 'vla_camera.sources.mujoco:MujocoSource',
        'replay': 'vla_camera.sources.replay:ReplaySource',
        'usb': 'vla_camera.sources.usb:UsbSource',
        'realsense': 'vla_camera.sources.realsense:RealSenseSource',
    },
)
