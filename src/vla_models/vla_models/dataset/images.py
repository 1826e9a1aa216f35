# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images in a dataset: PNG to and from RGB, and whether a PNG is all there.

OpenCV fills what is missing of a truncated PNG with black and says nothing, so the chunks and
their checksums are walked first (PNG specification, third edition, section 5).
"""

from __future__ import annotations

import zlib

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
    """What is wrong with a PNG, in a few words; None where nothing is."""
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
    """PNG or JPEG to uint8 RGB (H, W, 3); None where OpenCV can't."""
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


class Squarer:
    """uint8 RGB of any size to (side, side, 3), by the code that the robot's images go through."""

    def __init__(self, side: int) -> None:
        spec = ImageInput(
            'image', 'head', side, side, 'nhwc', (0, 255), (0,) * 3, (1,) * 3, 'stretch'
        )
        self._side, self._preprocess = side, ImagePreprocessor(spec)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        if image.shape[:2] == (self._side, self._side):
            return image
        return np.rint(self._preprocess(image)[0]).astype(np.uint8)
