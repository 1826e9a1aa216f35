# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The seam between the camera node and what takes pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class SourceError(RuntimeError):
    """The source was lost while in use; opening it again may help."""


@dataclass(frozen=True)
class Facts:
    """What `CameraInfo` needs to know.

    width, height: px. fx, fy, cx, cy: px, of the rectified pinhole camera; None where nobody
    calibrated it. distortion: coefficients of `model`, as in sensor_msgs/CameraInfo. name: for a
    person.
    """

    name: str
    width: int
    height: int
    intrinsics: tuple[float, float, float, float] | None = None
    model: str = 'plumb_bob'
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    has_depth: bool = False


@dataclass(frozen=True)
class Frame:
    """One picture.

    color: uint8 (H, W, 3), RGB. depth: float32 (H, W) in m, 0 where unknown, aligned to the
    colour image; None without. stamp_ns: when it was taken, system clock.
    """

    color: np.ndarray
    stamp_ns: int
    depth: np.ndarray | None = None


class Source(Protocol):
    """Takes pictures. All but `open` at configure is called from one thread, the camera's."""

    def open(self) -> Facts:
        """Acquire the device. ConfigError where what was asked for is not there."""
        ...

    def grab(self, timeout: float) -> Frame | None:
        """Return the next new picture, None if there is none within `timeout` seconds.

        Raises:
            SourceError: the device is lost.
        """
        ...

    def close(self) -> None:
        """Release the device; may be called twice."""
        ...
