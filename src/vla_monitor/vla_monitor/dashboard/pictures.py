# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Camera images as small JPEG pictures for the page."""

from __future__ import annotations

import cv2

from vla_monitor.recording.video import pixels

WIDEST = 480  # pixels
_QUALITY = 70


def picture(number: int, serialized: bytes) -> bytes:
    """The camera's number in one byte, then the JPEG, of a serialized sensor_msgs/Image.

    Raises ValueError: no color image, or one that cannot be encoded.
    """
    _, image = pixels(serialized)
    height, width = image.shape[:2]
    if width > WIDEST:
        size = WIDEST, max(1, round(height * WIDEST / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    encoded, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not encoded:
        raise ValueError(f'an image of {width} x {height} pixels cannot be encoded')
    return bytes([number]) + jpeg.tobytes()
