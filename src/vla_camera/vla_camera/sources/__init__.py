# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Camera sources, one file each; `make_source` picks one by name and imports only that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vla_camera.sources.base import Facts, Frame, Source, SourceError

if TYPE_CHECKING:
    from vla_robot import RobotModel

__all__ = ['Facts', 'Frame', 'Source', 'SourceError', 'make_source']


def make_source(params: Any, robot: RobotModel) -> Source:
    """Return the source that `params.source` names; its own parameters are in `params`."""
    if params.source == 'mujoco':
        from vla_camera.sources.mujoco import MujocoSource

        return MujocoSource(robot, params.width, params.height, params.rate, params.backend)
    if params.source == 'replay':
        from vla_camera.sources.replay import ReplaySource

        return ReplaySource(params.path, params.rate, params.loop)
    if params.source == 'usb':
        from vla_camera.sources.usb import UsbSource

        return UsbSource(params.device, params.width, params.height, params.rate)
    from vla_camera.sources.realsense import RealsenseSource

    return RealsenseSource(params.device, params.width, params.height, params.rate, params.depth)
