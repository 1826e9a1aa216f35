# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What sources give, and how they fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class CameraError(RuntimeError):
    """A source failed; the message says what was found and what to do."""


class DeviceMissingError(CameraError):
    """There is no such device, file or folder."""


class DeviceLostError(CameraError):
    """The device was there and is gone, or gives nothing usable any more."""


class SourceEndedError(CameraError):
    """A recording is over: nothing is wrong, and nothing more will come."""


@dataclass(frozen=True)
class Calibration:
    """Pixels; REP-104. fx 0 means that nobody calibrated this camera."""

    fx: float = 0.0
    fy: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    model: str = 'plumb_bob'
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class CameraFacts:
    """What the device really gives, read back after it was opened. rate: Hz, 0 unknown."""

    device: str
    width: int
    height: int
    rate: float
    calibration: Calibration
    depth: bool = False
    depth_calibration: Calibration | None = None


@dataclass(frozen=True)
class Frame:
    """One picture. color: uint8 RGB (h, w, 3). depth: float32 (h, w) m along the optical axis,
    aligned to color, NaN or inf where unknown. stamp_ns: system clock, when the light was seen."""

    color: np.ndarray
    depth: np.ndarray | None
    stamp_ns: int


class Source(Protocol):
    """One kind of camera. One thread calls everything here."""

    def open(self) -> CameraFacts:
        """Raise DeviceMissingError, or DeviceLostError, naming what was found."""
        ...

    def grab(self, timeout: float) -> Frame | None:
        """The next new frame, None if none came within timeout s. Never the same frame twice.

        Raises DeviceLostError (worth reopening) or SourceEndedError (not worth it).
        """
        ...

    def discard(self) -> None:
        """Forget what waits in the device: it was seen before anybody asked for it."""
        ...

    def notes(self) -> dict[str, str]:
        """What is particular to this source, for diagnostics. Called from another thread."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
