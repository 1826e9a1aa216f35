# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the encodings of sensor_msgs/Image mean: sample type, channels, colour order."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Names of the OpenCV depths and NumPy's names of the same.
DEPTH_TO_DTYPE = {
    '8U': 'uint8',
    '8S': 'int8',
    '16U': 'uint16',
    '16S': 'int16',
    '32S': 'int32',
    '32F': 'float32',
    '64F': 'float64',
}

_COLOUR_ORDERS = {'mono': 1, 'rgb': 3, 'bgr': 3, 'rgba': 4, 'bgra': 4}
#: Read as they are, but converting them is outside the stand-in.
_RAW_ONLY = {'yuv422': 2, 'yuv422_yuy2': 2, 'uyvy': 2, 'yuyv': 2}
_OPENCV_NAME = re.compile(r'(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?')
_COLOUR_NAME = re.compile(r'(mono|rgba|bgra|rgb|bgr)(8|16)')
_BAYER_NAME = re.compile(r'bayer_(?:rggb|bggr|gbrg|grbg)(8|16)')


@dataclass(frozen=True)
class Encoding:
    """One image encoding.

    ``colour`` is None for OpenCV's bare types (``16UC1``), whose meaning is unknown, ``mono``,
    ``rgb``, ``bgr``, ``rgba`` or ``bgra``, and ``raw`` for Bayer and YUV images.
    """

    name: str
    depth: str
    channels: int
    colour: str | None

    @property
    def dtype(self) -> str:
        """NumPy's name of the sample type."""
        return DEPTH_TO_DTYPE[self.depth]

    @property
    def bits(self) -> int:
        """Bits of one sample."""
        return int(self.depth[:-1])


def parse(name: str) -> Encoding:
    """Return the encoding of that name; raises ValueError for a name that does not exist."""
    match = _COLOUR_NAME.fullmatch(name)
    if match:
        order, bits = match.groups()
        return Encoding(name, f'{bits}U', _COLOUR_ORDERS[order], order)
    match = _OPENCV_NAME.fullmatch(name)
    if match:
        return Encoding(name, match[1], int(match[2] or 1), None)
    match = _BAYER_NAME.fullmatch(name)
    if match:
        return Encoding(name, f'{match[1]}U', 1, 'raw')
    if name in _RAW_ONLY:
        return Encoding(name, '8U', _RAW_ONLY[name], 'raw')
    raise ValueError(f'Unrecognized image encoding [{name}]')
