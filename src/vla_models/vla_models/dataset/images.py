# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images of a dataset: PNG, JPEG and frames of MP4 files as RGB arrays.

OpenCV fills the missing part of a truncated PNG with black without an error, so the chunks and
their checksums are checked first (PNG specification, third edition, section 5).
"""

import zlib
from pathlib import Path

import cv2
import numpy as np

from vla_policy.bundle.model_inputs import ImageInput
from vla_policy.preprocess import ImagePreprocessor

_SIGNATURE = b'\x89PNG\r\n\x1a\n'


def encode_png(image: np.ndarray) -> bytes:
    """uint8 RGB (H, W, 3) to PNG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.png', bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def fault_of(png: bytes | None) -> str | None:
    """The fault of a PNG in a few words, or None."""
    if not png:
        return 'no image'
    if not png.startswith(_SIGNATURE):
        return 'not a PNG'
    at = len(_SIGNATURE)
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4], 'big')
        end = at + 12 + length
        if end > len(png):
            return f'truncated after {len(png)} bytes'
        checksum = int.from_bytes(png[end - 4 : end], 'big')
        if zlib.crc32(png[at + 4 : end - 4]) != checksum:
            return f'wrong checksum at byte {at}'
        if png[at + 4 : at + 8] == b'IEND':
            return None
        at = end
    return f'truncated after {len(png)} bytes'


def decode_image(content: bytes) -> np.ndarray | None:
    """PNG or JPEG to uint8 RGB (H, W, 3); None where it cannot be decoded."""
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


class Squarer:
    """uint8 RGB of any size to (side, side, 3), by the preprocessing of the robot."""

    def __init__(self, side: int) -> None:
        spec = ImageInput(
            'image', 'head', side, side, 'nhwc', (0, 255), (0,) * 3, (1,) * 3, 'stretch'
        )
        self._side, self._preprocess = side, ImagePreprocessor(spec)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        if image.shape[:2] == (self._side, self._side):
            return image
        return np.rint(self._preprocess(image)[0]).astype(np.uint8)


class VideoFrames:
    """Frames of MP4 files in order; rising frame numbers cost one decode each."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._capture: cv2.VideoCapture | None = None
        self._next = 0

    def read(self, path: Path, number: int) -> np.ndarray | None:
        """Frame `number` as RGB; None where there is none or it cannot be decoded."""
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
