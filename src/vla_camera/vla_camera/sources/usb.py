# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A USB (V4L2) camera through OpenCV."""

from __future__ import annotations

import glob
import time

import cv2

from vla_camera.sources.base import Facts, Frame, SourceError
from vla_common.errors import ConfigError


class UsbSource:
    """Reads a camera that the kernel knows.

    The size and rate that the camera really gives are read back; another size than asked for is
    refused at configure, because a policy was trained on one.

    Args:
        device: index ("0") or path ("/dev/video0"); empty: the first.
        width, height: px. rate: Hz.
        capture: makes the capture object; tests put their own in.
    """

    def __init__(
        self, device: str, width: int, height: int, rate: float, capture=cv2.VideoCapture
    ) -> None:
        self._device: int | str = int(device) if device.isdigit() else device or 0
        self._size = (width, height)
        self._rate = rate
        self._make = capture
        self._capture = None

    def open(self) -> Facts:
        self._capture = self._make(self._device)
        if not self._capture.isOpened():
            self.close()
            known = ', '.join(sorted(glob.glob('/dev/video*'))) or 'none'
            raise ConfigError(
                'parameters of /camera',
                'device',
                f'{self._device!r}, which does not open (devices here: {known})',
                'a camera that is plugged in, not used by another program, and readable for you '
                '(group "video")',
            )
        # One buffered image: an old one is worthless.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        self._capture.set(cv2.CAP_PROP_FPS, self._rate)
        ok, image = self._capture.read()
        if not ok:
            self.close()
            raise ConfigError(
                'parameters of /camera', 'device', f'{self._device!r} gives no image', 'a camera'
            )
        found = (image.shape[1], image.shape[0])
        if found != self._size:
            self.close()
            raise ConfigError(
                'parameters of /camera',
                'width, height',
                f'{self._size[0]} x {self._size[1]} px; the camera gives {found[0]} x {found[1]}',
                'a size that the camera has',
            )
        return Facts(f'USB camera {self._device}', *self._size)

    def grab(self, timeout: float) -> Frame | None:
        # OpenCV blocks until the driver has an image, or about 10 s; the node notices a stall.
        ok, image = self._capture.read()
        stamp_ns = time.time_ns()
        if not ok:
            raise SourceError(f'USB camera {self._device} gives no more images')
        return Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp_ns)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None
