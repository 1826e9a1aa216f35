# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pixel formats of Video4Linux that are read, as RGB.

YUV is taken as BT.601 of limited range, as OpenCV has it.
"""

import cv2
import numpy as np

JPEG = 'MJPG'
PIXELS = ('YUYV', 'UYVY', 'NV12', 'RGB3', 'BGR3', JPEG)
"""Formats with color, the cheaper one first: JPEG has to be decoded."""
GREY = 'GREY'
"""Read where the device has none with color: infrared and machine vision."""

_BYTES = {'YUYV': 2, 'UYVY': 2, 'RGB3': 3, 'BGR3': 3, 'NV12': 1, GREY: 1}
"""Per pixel of a row; NV12 has the chroma in half as many rows below."""
_CODES = {
    'YUYV': cv2.COLOR_YUV2RGB_YUY2,
    'UYVY': cv2.COLOR_YUV2RGB_UYVY,
    'NV12': cv2.COLOR_YUV2RGB_NV12,
    'BGR3': cv2.COLOR_BGR2RGB,
    GREY: cv2.COLOR_GRAY2RGB,
}


def decode(content: bytes, pixels: str, width: int, height: int, step: int) -> np.ndarray | None:
    """(h, w, 3) uint8 RGB of one buffer; None where it is cut off. step: bytes from row to row, 0
    where the driver names none. Of JPEG the size is its own."""
    if pixels == JPEG:
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    row = _BYTES[pixels] * width
    step = max(step, row)
    count = height * 3 // 2 if pixels == 'NV12' else height
    if len(content) < step * (count - 1) + row:
        return None
    buffer = np.frombuffer(content, np.uint8)
    rows = np.lib.stride_tricks.as_strided(buffer, (count, row), (step, 1), writeable=False)
    image = np.ascontiguousarray(rows)
    if _BYTES[pixels] > 1:
        image = image.reshape(height, width, _BYTES[pixels])
    return cv2.cvtColor(image, _CODES[pixels]) if pixels in _CODES else image
