# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Frames of MP4 files in order, through OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


class VideoFrames:
    """Keeps one file open; asks for rising frame numbers cost one decode each."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._capture: cv2.VideoCapture | None = None
        self._next = 0

    def read(self, path: Path, number: int) -> np.ndarray | None:
        """Frame `number` as RGB; None where the file ends before it or can't be decoded."""
        if path != self._path or number < self._next:
            self._capture = cv2.VideoCapture(str(path))
            self._path, self._next = path, 0
        while self._next < number:
            if not self._capture.grab():
                return None
            self._next += 1
        whole, bgr = self._capture.read()
        self._next += 1
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB) if whole else None
