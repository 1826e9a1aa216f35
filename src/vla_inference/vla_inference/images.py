# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Color and depth images from the fields of sensor_msgs/Image, and images that never change."""

import numpy as np

NS = 1e-9
COLOR_BYTES = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4}
DEPTH_NUMBERS = {'32FC1': 'f4', '16UC1': 'u2'}


def color_image(
    name: str, height: int, width: int, step: int, encoding: str, content: bytes | memoryview
) -> np.ndarray:
    """(height, width, 3) uint8 RGB, a view of the buffer. Its numbers are single bytes, so that
    the order of bytes does not matter. Raises ValueError, with the name of the stream."""
    size = COLOR_BYTES.get(encoding)
    if size is None:
        raise ValueError(f'{name} sends {encoding or "no encoding"}, wanted rgb8')
    _check_size(name, size, height, width, step, content)
    rows = np.frombuffer(content, np.uint8).reshape(height, step)
    image = rows[:, : size * width].reshape(height, width, size)
    return image[:, :, 2::-1] if encoding.startswith('bgr') else image[:, :, :3]


def depth_image(
    name: str,
    height: int,
    width: int,
    step: int,
    encoding: str,
    content: bytes | memoryview,
    big_endian: bool,
) -> np.ndarray:
    """(height, width) float32 m from 32FC1 in m or 16UC1 in mm; 0 or NaN: nothing measured.
    Raises ValueError, with the name of the stream."""
    number = DEPTH_NUMBERS.get(encoding)
    if number is None:
        raise ValueError(f'{name} sends {encoding or "no encoding"}, wanted 32FC1')
    kind = np.dtype(f'{">" if big_endian else "<"}{number}')
    size = kind.itemsize
    _check_size(name, size, height, width, step, content)
    depth = np.frombuffer(content, kind).reshape(height, step // size)[:, :width]
    if encoding == '16UC1':
        return depth.astype(np.float32) * np.float32(1e-3)
    return depth.astype(np.float32) if big_endian else depth


def _check_size(
    name: str, pixel: int, height: int, width: int, step: int, content: bytes | memoryview
) -> None:
    """Raise ValueError unless the buffer has the announced size. pixel: bytes."""
    fits = height > 0 and width > 0 and step >= pixel * width and len(content) == step * height
    if not fits or (pixel != 3 and step % pixel):
        raise ValueError(f'{name}: {len(content)} bytes for {width} x {height}, step {step}')


class FrozenImages:
    """Detects images that are equal byte for byte while their stamps advance.

    A real sensor has noise: two equal frames in a row are rare. So a few bytes of the buffer are
    compared first, and the rest only where they agree.
    """

    STRIDE = 4099
    """A prime, so that the compared bytes are of all columns and channels."""

    def __init__(self, frozen_after: float) -> None:
        self._after = frozen_after
        self._last: np.ndarray | None = None
        self._since_ns = 0
        self._newest_ns = 0

    def update(self, content: bytes | memoryview, stamp_ns: int) -> None:
        image = np.frombuffer(content, np.uint8)
        if not self._same(image):
            self._since_ns = stamp_ns
        self._last, self._newest_ns = image, stamp_ns

    def _same(self, image: np.ndarray) -> bool:
        last = self._last
        if last is None or len(image) != len(last):
            return False
        few = slice(None, None, self.STRIDE)
        return bool(np.array_equal(image[few], last[few]) and np.array_equal(image, last))

    @property
    def same_for(self) -> float:
        """s, by the stamps, for which the images have been equal."""
        return (self._newest_ns - self._since_ns) * NS

    @property
    def frozen(self) -> bool:
        return self.same_for > self._after
