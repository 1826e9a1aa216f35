# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Camera sources by name: one file and one line each, here or in a package of your own.

A package of your own adds one as an entry point of the group `vla.cameras`.
"""

from vla_common.registry import Registry

SOURCES = Registry(
    'vla.cameras',
    {
        'mujoco': 'vla_camera.sources.mujoco:MujocoSource',
        'replay': 'vla_camera.sources.replay:ReplaySource',
        'realsense': 'vla_camera.sources.realsense:RealSenseSource',
        'v4l2': 'vla_camera.sources.v4l2:V4l2Source',
        'zed': 'vla_camera.sources.zed:ZedSource',
        'topic': 'vla_camera.sources.topic:TopicSource',
        'rtsp': 'vla_camera.sources.rtsp:RtspSource',
    },
)
