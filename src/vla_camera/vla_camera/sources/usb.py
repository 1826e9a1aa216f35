# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A USB camera through OpenCV (V4L2 on Linux)."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import cv2

from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
)

QUEUED = 8


def open_device(device: str) -> cv2.VideoCapture:
    """Open a device by index ("0") or path ("/dev/video0")."""
    return cv2.VideoCapture(int(device) if device.isdigit() else device, cv2.CAP_V4L2)


class UsbSource(Source):
    """device: index or path, empty for the first. width, height, rate: requested, 0 for the
    device's own; the facts hold the actual ones. capture: opens the device, for tests.
    """

    def __init__(
        self,
        device: str,
        width: int,
        height: int,
        rate: float,
        capture: Callable[[str], cv2.VideoCapture] = open_device,
    ) -> None:
        self._device = device or '0'
        self._requested = (width, height, rate)
        self._capture = capture
        self._video: cv2.VideoCapture | None = None

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        return cls(params.device, params.width, params.height, params.rate)

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'device', 'index or path of a USB camera'

    def open(self) -> CameraFacts:
        self.close()
        video = self._capture(self._device)
        if not video.isOpened():
            video.release()
            raise DeviceMissingError(self._missing())
        width, height, rate = self._requested
        if width:
            video.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        if height:
            video.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if rate:
            video.set(cv2.CAP_PROP_FPS, rate)
        # At most one frame waits, so that frames are recent. Not every driver honors it.
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        ok, first = video.read()
        if not ok:
            video.release()
            raise DeviceMissingError(
                f'USB camera {self._device} opens but gives no picture: is another program using '
                'it, or is it not a capture device (try the next index)?'
            )
        self._video = video
        height, width = first.shape[:2]
        return CameraFacts(
            f'usb {self._device}', width, height, video.get(cv2.CAP_PROP_FPS), Calibration()
        )

    def grab(self, timeout: float) -> Frame | None:
        # VideoCapture.read has its own timeout (10 s in V4L2); the node's stall detection does not
        # depend on it.
        if self._video is None:
            raise DeviceLostError(f'USB camera {self._device} is not open')
        if not self._video.grab():
            raise DeviceLostError(f'USB camera {self._device} gives no more pictures')
        stamp_ns = time.time_ns()
        ok, bgr = self._video.retrieve()
        if not ok or bgr is None:
            raise DeviceLostError(f'USB camera {self._device}: a picture could not be decoded')
        return Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), None, stamp_ns)

    def discard(self) -> None:
        """Take what V4L2 has queued (4 frames by default): queued ones arrive without delay."""
        for _ in range(QUEUED):
            began = time.monotonic()
            if self._video is None or not self._video.grab():
                return  # grab() reports it
            if time.monotonic() - began > 0.005:
                return

    def close(self) -> None:
        if self._video is not None:
            self._video.release()
            self._video = None

    def _missing(self) -> str:
        found = sorted(str(path) for path in Path('/dev').glob('video*'))
        path = f'/dev/video{self._device}' if self._device.isdigit() else self._device
        missing = f'no USB camera {self._device}: /dev has {", ".join(found) or "no video device"}'
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            return f'{missing}; {path} may not be opened: add the user to the group video'
        return f'{missing}; plug it in, or set the parameter device'
