# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images from a folder, or from a video file."""

from __future__ import annotations

import pathlib
import time

import cv2
import numpy as np

from vla_camera.sources.base import Facts, Frame
from vla_common.clock import steady_now
from vla_common.errors import ConfigError

IMAGES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.ppm')
VIDEOS = ('.mp4', '.avi', '.mkv', '.mov', '.webm')


class ReplaySource:
    """Shows recorded images at a fixed rate.

    Args:
        path: a folder of images (shown in the order of their names, all of one size), or a video.
        rate: images per second.
        loop: begin again at the end.
    """

    def __init__(self, path: str, rate: float, loop: bool) -> None:
        self._path = path
        self._period = 1.0 / rate
        self._loop = loop
        self._files: list[pathlib.Path] = []
        self._video: cv2.VideoCapture | None = None
        self._shape: tuple[int, ...] = ()
        self._position = 0
        self._next: float | None = None

    def open(self) -> Facts:
        place = pathlib.Path(self._path).expanduser()
        wanted = 'a folder of images, or a video file'
        if not self._path:
            raise ConfigError('parameters of /camera', 'path', 'nothing', wanted)
        if not place.exists():
            raise ConfigError('parameters of /camera', 'path', f'no such path: {place}', wanted)
        self._position, self._next = 0, None
        if place.is_dir():
            self._files = sorted(f for f in place.iterdir() if f.suffix.lower() in IMAGES)
            if not self._files:
                raise ConfigError(place, '', 'no image', 'files ending in ' + ', '.join(IMAGES))
            # All are looked at now: an unreadable image must not end a run in its middle.
            shapes = {}
            for file in self._files:
                shapes.setdefault(self._read(file).shape, file)
            if len(shapes) > 1:
                (first, one), (second, other) = list(shapes.items())[:2]
                found = f'{second[1]} x {second[0]} px'
                wanted = f'{first[1]} x {first[0]} px like {one.name}'
                raise ConfigError(other, 'size', found, wanted)
            self._shape = next(iter(shapes))
            count = f'{len(self._files)} images'
        else:
            self._video = cv2.VideoCapture(str(place))
            ok, image = self._video.read()
            if not ok:
                self.close()
                known = ', '.join(VIDEOS)
                raise ConfigError(place, '', 'no readable image', f'a video ({known}) or a folder')
            self._shape = image.shape
            self._video.set(cv2.CAP_PROP_POS_FRAMES, 0)
            count = 'video'
        return Facts(f'{place} ({count})', self._shape[1], self._shape[0])

    def grab(self, timeout: float) -> Frame | None:
        now = steady_now()
        if self._next is None:
            self._next = now
        if self._next > now + timeout:
            time.sleep(timeout)
            return None
        time.sleep(max(0.0, self._next - now))
        image = self._advance()
        if image is None:
            time.sleep(timeout)
            return None
        # After a long stall it goes on from now, it does not hurry to catch up.
        self._next = max(self._next + self._period, steady_now())
        return Frame(image, time.time_ns())

    def close(self) -> None:
        if self._video is not None:
            self._video.release()
            self._video = None
        self._files = []

    def _advance(self) -> np.ndarray | None:
        if self._video is not None:
            ok, image = self._video.read()
            if not ok and self._loop:
                self._video.set(cv2.CAP_PROP_POS_FRAMES, 0)
                ok, image = self._video.read()
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if ok else None
        if self._position >= len(self._files):
            if not self._loop:
                return None
            self._position = 0
        file = self._files[self._position]
        self._position += 1
        return self._read(file)

    @staticmethod
    def _read(file: pathlib.Path) -> np.ndarray:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if image is None:
            raise ConfigError(file, '', 'an unreadable image', 'an image that OpenCV can decode')
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
