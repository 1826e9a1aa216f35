# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images from a folder, sorted by name, or from a video, at a fixed rate.

They are stamped with the time at which they are delivered.
"""

import time
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
    SourceEndedError,
)
from vla_common.clock import steady_now

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')


class ReplaySource(Source):
    """rate: Hz; 0 takes the video's own, 30 for a folder. loop: restart at the end."""

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        return cls(params.path or params.device, params.rate, params.loop)

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'path', 'a folder of images of one size, or a video file'

    def __init__(self, path: str, rate: float, loop: bool) -> None:
        self._path = Path(path).expanduser()
        self._given = path
        self._wanted_rate = rate
        self._loop = loop
        self._files: list[Path] = []
        self._video: cv2.VideoCapture | None = None
        self._index = 0
        self._period = 1.0 / 30.0
        self._due = 0.0

    def open(self) -> CameraFacts:
        if not self._given:
            raise DeviceMissingError('no path: replay needs a folder of images or a video file')
        if not self._path.exists():
            raise DeviceMissingError(f'{self._path}: no such file or folder')
        own_rate = 30.0
        if self._path.is_dir():
            first = self._open_folder()
        else:
            first, own_rate = self._open_video()
        rate = self._wanted_rate or own_rate
        self._period = 1.0 / rate
        self._due = steady_now()
        height, width = first.shape[:2]
        return CameraFacts(f'replay of {self._path}', width, height, rate, Calibration())

    def grab(self, timeout: float) -> Frame | None:
        wait = self._due - steady_now()
        if wait > timeout:
            time.sleep(timeout)
            return None
        if wait > 0.0:
            time.sleep(wait)
        color = self._next()
        # A late frame is not followed by a burst.
        self._due = max(self._due + self._period, steady_now())
        return Frame(color, None, time.time_ns())

    def discard(self) -> None:
        self._due = max(self._due, steady_now())

    def close(self) -> None:
        if self._video is not None:
            self._video.release()
            self._video = None

    def _open_folder(self) -> np.ndarray:
        every = sorted(self._path.iterdir())
        self._files = [file for file in every if file.suffix.lower() in SUFFIXES]
        if not self._files:
            raise DeviceMissingError(
                f'{self._path}: {len(every)} files, none of them an image ({", ".join(SUFFIXES)})'
            )
        self._index = 0
        # All of them now: an unreadable one is reported at configure, not in the middle of a run.
        first = _read(self._files[0])
        for file in self._files[1:]:
            _check_size(file, _read(file), first.shape)
        return first

    def _open_video(self) -> tuple[np.ndarray, float]:
        self.close()
        video = cv2.VideoCapture(str(self._path))
        ok, first = video.read() if video.isOpened() else (False, None)
        if not ok:
            video.release()
            raise DeviceMissingError(f'{self._path}: neither a folder nor a video OpenCV can read')
        rate = video.get(cv2.CAP_PROP_FPS)
        video.set(cv2.CAP_PROP_POS_FRAMES, 0)
        self._video, self._index = video, 0
        return first, rate if np.isfinite(rate) and 0.0 < rate <= 1000.0 else 30.0

    def _next(self) -> np.ndarray:
        if self._video is not None:
            return self._next_of_video()
        if self._index >= len(self._files):
            self._end()
        color = _read(self._files[self._index])
        self._index += 1
        return color

    def _next_of_video(self) -> np.ndarray:
        assert self._video is not None
        ok, bgr = self._video.read()
        if not ok:
            if self._index == 0:
                raise DeviceLostError(f'{self._path}: no picture could be decoded')
            self._end()
            self._video.set(cv2.CAP_PROP_POS_FRAMES, 0)
            ok, bgr = self._video.read()
            if not ok:
                raise DeviceLostError(f'{self._path}: cannot be wound back')
        self._index += 1
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

    def _end(self) -> None:
        if not self._loop:
            raise SourceEndedError(f'{self._path}: all {self._index} pictures shown')
        self._index = 0


def _check_size(file: Path, color: np.ndarray, wanted: tuple[int, ...]) -> None:
    if color.shape != wanted:
        raise DeviceMissingError(
            f'{file}: {color.shape[1]} x {color.shape[0]} px, the first one of its folder has '
            f'{wanted[1]} x {wanted[0]}'
        )


def _read(file: Path) -> np.ndarray:
    bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DeviceMissingError(f'{file}: not an image that OpenCV can read')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
