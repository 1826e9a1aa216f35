# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images of other drivers as RGB and metres.

cv_bridge converts what is one image: rows without padding, in this machine's byte order. It leaves
both to NumPy calls that fail for some steps and, in NumPy 2, for the other byte order.
"""

import struct
import sys
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from vla_common.image_cdr import WireCompressedImage, WireImage

RENAMED = {'uyvy': 'yuv422', 'yuyv': 'yuv422_yuy2'}
"""New names of sensor_msgs, and those that every cv_bridge converts."""
BARE = {'8UC1': 'mono8', '16UC1': 'mono16'}
"""OpenCV's types with one meaning as a color image; the order of three channels is not known."""
MILLIMETRES = ('16UC1', 'mono16')
COLOR = 'a color encoding: rgb8, bgr8, rgba8, bgra8, mono8, mono16, bayer_*, yuv422, yuv422_yuy2'
DEPTH = 'depth: 16UC1 (mm) or 32FC1 (m)'
DEPTH_HEADER = struct.Struct('<iff')
"""Of compressedDepth: a format that nobody reads, then A and B of depth = A / (value - B)."""


@cache
def bridge() -> Any:
    from cv_bridge import CvBridge

    return CvBridge()


def color_of(image: WireImage) -> np.ndarray:
    """(h, w, 3) uint8 RGB. Raises ValueError: no color image, or not of the announced size."""
    encoding = RENAMED.get(image.encoding, BARE.get(image.encoding, image.encoding))
    return _converted(_pixels(replace(image, encoding=encoding)), encoding, 'rgb8')


def depth_of(image: WireImage) -> np.ndarray:
    """(h, w) float32 m, NaN where nothing was measured. Raises ValueError as `color_of`."""
    return _metres(_pixels(image), image.encoding)


def decoded_color(image: WireCompressedImage) -> np.ndarray:
    """As `color_of`, of a JPEG, PNG or what else OpenCV decodes."""
    message = SimpleNamespace(format=image.format, data=image.content)
    try:
        pixels = np.ascontiguousarray(bridge().compressed_imgmsg_to_cv2(message))
    except (TypeError, RuntimeError, cv2.error) as error:
        raise ValueError(_one_line(error)) from error
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f'{pixels.dtype} in format {image.format}, wanted 8 or 16 bits')
    order = {2: 'mono', 3: 'bgr', 4: 'bgra'}[2 if pixels.ndim == 2 else pixels.shape[2]]
    return _converted(pixels, f'{order}{8 * pixels.itemsize}', 'rgb8')


def decoded_depth(image: WireCompressedImage) -> np.ndarray:
    """As `depth_of`, of the formats of compressed_depth_image_transport (PNG)."""
    encoding = image.format.partition(';')[0].strip()
    start = DEPTH_HEADER.size if 'compressedDepth' in image.format else 0
    content = np.frombuffer(image.content, np.uint8)[start:]
    counts = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if counts is None or counts.ndim != 2 or counts.dtype != np.uint16:
        raise ValueError(f"{content.size} bytes of format '{image.format}' are no depth image")
    if encoding != '32FC1':
        return _metres(counts, encoding)
    _, a, b = DEPTH_HEADER.unpack_from(image.content)
    with np.errstate(divide='ignore'):
        inverse = np.float32(a) / (counts.astype(np.float32) - np.float32(b))
    return np.where(counts > 0, inverse, np.float32(np.nan)).astype(np.float32)


def _pixels(image: WireImage) -> np.ndarray:
    """The rows without padding, in this machine's byte order."""
    try:
        name, channels = bridge().encoding_to_dtype_with_channels(image.encoding)
    except (TypeError, RuntimeError) as error:
        found = f'encoding {image.encoding or "none"}'
        raise ValueError(f'{found}, wanted {COLOR}, or {DEPTH}') from error
    kind = np.dtype(name).newbyteorder('>' if image.big_endian else '<')
    height, width, step = image.height, image.width, image.step
    row = width * channels * kind.itemsize
    if not (height > 0 and width > 0 and step >= row and len(image.content) >= step * height):
        size = f'{len(image.content)} bytes for {width} x {height} {image.encoding}, step {step}'
        raise ValueError(f'{size}; wanted at least {max(row, step) * height}')
    strides = (step, channels * kind.itemsize, kind.itemsize)
    pixels = np.ndarray((height, width, channels), kind, buffer=image.content, strides=strides)
    packed = np.ascontiguousarray(pixels, kind.newbyteorder('='))
    return packed[:, :, 0] if channels == 1 else packed


def _converted(pixels: np.ndarray, encoding: str, wanted: str) -> np.ndarray:
    message = SimpleNamespace(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=sys.byteorder == 'big',
        step=pixels.nbytes // pixels.shape[0],
        data=memoryview(pixels).cast('B'),
    )
    try:
        return bridge().imgmsg_to_cv2(message, wanted)
    except (TypeError, RuntimeError, cv2.error) as error:
        raise ValueError(f'encoding {encoding}, wanted {COLOR}') from error


def _metres(counts: np.ndarray, encoding: str) -> np.ndarray:
    if encoding not in (*MILLIMETRES, '32FC1'):
        raise ValueError(f'encoding {encoding or "none"}, wanted {DEPTH}')
    metres = counts.astype(np.float32)
    if encoding in MILLIMETRES:
        metres *= np.float32(1e-3)
    metres[counts == 0] = np.nan
    return metres


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split()) or type(error).__name__
