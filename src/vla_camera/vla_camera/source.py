# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Interface of camera sources: frames, calibration, errors."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np


class CameraError(RuntimeError):
    """A source failed; the message names what was found and what to do."""


class DeviceMissingError(CameraError):
    """There is no such device, file or folder."""


class DeviceLostError(CameraError):
    """The device was open and is gone, or delivers nothing usable."""


class SourceEndedError(CameraError):
    """A recording is over; this is not a fault."""


@dataclass(frozen=True)
class Calibration:
    """Pixels; REP-104. fx 0: not calibrated."""

    fx: float = 0.0
    fy: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    model: str = 'plumb_bob'
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class CameraFacts:
    """The actual settings of the device, read back after opening. rate: Hz, 0 unknown. advice: what
    else it offers, for the operator who requested something else. infrared: images a frame has."""

    device: str
    width: int
    height: int
    rate: float
    calibration: Calibration
    depth: bool = False
    advice: str = ''
    infrared: int = 0
    imu: bool = False


@dataclass(frozen=True)
class ImuSample:
    """Of the camera's own IMU, in the axes of its color image (z forward, x right, y down). rad/s,
    and m/s2 with gravity: at rest it points up. stamp_ns: system clock."""

    stamp_ns: int
    angular_velocity: tuple[float, float, float]
    linear_acceleration: tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """One image. color: uint8 RGB (h, w, 3). depth: float32 (h, w) m along the optical axis,
    aligned to color, NaN or inf where unknown. stamp_ns: system clock, at exposure. infrared: uint8
    (h, w), left and right of the same instant. imu: samples since the frame before."""

    color: np.ndarray
    depth: np.ndarray | None
    stamp_ns: int
    infrared: tuple[np.ndarray, ...] = ()
    imu: tuple[ImuSample, ...] = ()


class Source(Protocol):
    """One kind of camera, registered by name in `vla_camera.sources`; derive from this class. One
    thread calls open, grab, discard and close.

    Attributes:
        reopen_silent: close and open the device again when it is silent; False where silence shows
            nothing about the device.
        slow_remedy: what helps against a rate below that of the facts; '' where that is no fault.
        waiting_for: input without which there is no image, for diagnostics; empty for none.
        warning: what the operator should know while images arrive; empty for nothing.
    """

    reopen_silent: bool = True
    slow_remedy: str = ''
    waiting_for: str = ''
    warning: str = ''

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        """The source that the node's parameters describe, for a vla_robot RobotModel."""
        ...

    @staticmethod
    def opening_time(params: Any) -> float:
        """s that a source may take itself in `open`: the node's own limit is open_timeout."""
        return max(0.5, params.open_timeout - 1.0)

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        """The parameter that names the device, and its allowed values, for errors."""
        return 'source', 'a camera that opens'

    def connect(self, node: Any) -> None:
        """Subscribe to what the source needs, at configure, before `open`."""

    def open(self) -> CameraFacts:
        """Raise DeviceMissingError, or DeviceLostError, naming what was found."""
        ...

    def grab(self, timeout: float) -> Frame | None:
        """The next new frame, None if none arrived within timeout s. Never the same frame twice.

        Raises DeviceLostError (worth reopening) or SourceEndedError (not worth it).
        """
        ...

    def discard(self) -> None:
        """Drop frames that the device buffered: they are old."""

    def notes(self) -> dict[str, str]:
        """Values of this source for diagnostics. Called from another thread."""
        return {}

    def temperatures(self) -> dict[str, float]:
        """deg C by name, of the parts that the device measures. Called from another thread."""
        return {}

    def close(self) -> None:
        """Idempotent."""
        ...
