# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2 Jazzy's `cv_bridge` (Python): images between NumPy and messages.

`cv2` is imported when a conversion first needs it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

#: Names of the OpenCV depths and NumPy's names of the same.
_DEPTHS = {
    '8U': 'uint8',
    '8S': 'int8',
    '16U': 'uint16',
    '16S': 'int16',
    '32S': 'int32',
    '32F': 'float32',
    '64F': 'float64',
}
_ORDERS = {'mono': 1, 'rgb': 3, 'bgr': 3, 'rgba': 4, 'bgra': 4}
#: Two channels of 8 bits; OpenCV's name of the order of their bytes.
_YUV = {'yuv422': 'UYVY', 'uyvy': 'UYVY', 'yuv422_yuy2': 'YUY2', 'yuyv': 'YUY2'}
#: OpenCV names a Bayer pattern by the second and third pixel of the second row.
_BAYER = {'rggb': 'BayerBG', 'bggr': 'BayerRG', 'gbrg': 'BayerGR', 'grbg': 'BayerGB'}


class CvBridgeError(TypeError):
    """An image cannot be converted as requested."""


@dataclass(frozen=True)
class _Encoding:
    """One image encoding.

    `color` is None for OpenCV's bare types (`16UC1`), whose meaning is unknown, a key of
    `_ORDERS`, or `raw` for Bayer and YUV images, from which is converted but never to them.
    """

    name: str
    depth: str
    channels: int
    color: str | None

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(_DEPTHS[self.depth])

    @classmethod
    def parse(cls, name: str) -> _Encoding:
        match = re.fullmatch(r'(mono|rgba|bgra|rgb|bgr)(8|16)', name)
        if match:
            return cls(name, f'{match[2]}U', _ORDERS[match[1]], match[1])
        match = re.fullmatch(r'(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?', name)
        if match:
            return cls(name, match[1], int(match[2] or 1), None)
        match = re.fullmatch(r'bayer_(?:rggb|bggr|gbrg|grbg)(8|16)', name)
        if match:
            return cls(name, f'{match[1]}U', 1, 'raw')
        if name in _YUV:
            return cls(name, '8U', 2, 'raw')
        raise CvBridgeError(f'Unrecognized image encoding [{name}]')


def _convert(image: np.ndarray, source_name: str, wanted_name: str) -> np.ndarray:
    """Return a new array in the wanted encoding; CvBridgeError where none makes sense."""
    source, wanted = _Encoding.parse(source_name), _Encoding.parse(wanted_name)
    what = f'conversion from [{source_name}] to [{wanted_name}]'
    if source_name == wanted_name:
        return image.copy()
    if source.color == 'raw' and wanted.color in _raw_targets(source_name):
        image = _develop(image, source_name, wanted.color)
        return _change_depth(image, source.dtype, wanted.dtype)
    if 'raw' in (source.color, wanted.color):
        raise CvBridgeError(
            f'{what} is not part of the stand-in in compat/; install the real package'
        )
    if source.color is None and wanted.color is not None:
        raise CvBridgeError(f'{what}: the first is not a color format')
    if wanted.color is None and source.channels != wanted.channels:
        raise CvBridgeError(f'{what}: not the same number of channels')
    if wanted.color not in (None, source.color):
        import cv2

        names = (color.upper().replace('MONO', 'GRAY') for color in (source.color, wanted.color))
        image = cv2.cvtColor(image, getattr(cv2, 'COLOR_' + '2'.join(names)))
    return _change_depth(image, source.dtype, wanted.dtype)


def _raw_targets(source: str) -> tuple[str, ...]:
    """Orders of channels that the real package converts a Bayer or YUV image to."""
    return ('mono', 'rgb', 'bgr') + (('rgba', 'bgra') if source in _YUV else ())


def _develop(image: np.ndarray, source: str, color: str) -> np.ndarray:
    """The colors of a Bayer or YUV image."""
    import cv2

    wanted = color.upper().replace('MONO', 'GRAY')
    if source in _YUV:
        return cv2.cvtColor(image, getattr(cv2, f'COLOR_YUV2{wanted}_{_YUV[source]}'))
    pattern = _BAYER[source.removeprefix('bayer_').rstrip('0123456789')]
    return cv2.cvtColor(image, getattr(cv2, f'COLOR_{pattern}2{wanted}'))


def _change_depth(image: np.ndarray, source: np.dtype, wanted: np.dtype) -> np.ndarray:
    """Between 8 and 16 bits values are scaled by 257, so that white stays white; any other change
    of depth keeps the values, rounded and clipped to the new range.
    """
    if source == wanted or wanted.kind == 'f':
        return image.astype(wanted)
    scale = {(1, 2): 65535.0 / 255.0, (2, 1): 255.0 / 65535.0}
    scaled = image * scale.get((source.itemsize, wanted.itemsize), 1.0)
    limits = np.iinfo(wanted)
    return np.clip(np.nan_to_num(np.rint(scaled)), limits.min, limits.max).astype(wanted)


def _require_image(image: object) -> tuple[np.ndarray, int]:
    """Return the image and its number of channels."""
    if not isinstance(image, (np.ndarray, np.generic)):
        raise TypeError(f'Your input type is not a numpy array: {type(image).__name__}')
    if image.ndim not in (2, 3):
        raise CvBridgeError(f'an image has 2 or 3 dimensions, this array has shape {image.shape}')
    return image, image.shape[2] if image.ndim > 2 else 1


def _cvtype(dtype: np.dtype, channels: int) -> str:
    """Return OpenCV's type name, such as `8UC3`."""
    for depth, name in _DEPTHS.items():
        if name == dtype.name:
            return f'{depth}C{channels}'
    known = ', '.join(_DEPTHS.values())
    raise CvBridgeError(f'images of {dtype.name} do not exist in OpenCV; there are {known}')


class CvBridge:
    """Converts between NumPy arrays as OpenCV uses them and image messages."""

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        """Return NumPy's type name and the number of channels of an encoding."""
        parsed = _Encoding.parse(encoding)
        return parsed.dtype.name, parsed.channels

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = 'passthrough') -> np.ndarray:
        """Return the image, (height, width) for one channel or (height, width, channels).

        With `passthrough` the array shares the message's memory where rows are not padded and
        the byte order is this machine's; with an encoding it is always a copy.
        """
        source = _Encoding.parse(img_msg.encoding)
        dtype = source.dtype.newbyteorder('>' if img_msg.is_bigendian else '<')
        pixel = dtype.itemsize * source.channels
        height, width, step = img_msg.height, img_msg.width, img_msg.step
        if step < width * pixel:
            raise CvBridgeError(
                f'step is {step} bytes, but {width} pixels of {source.name} are {width * pixel}'
            )
        data = bytes(img_msg.data) if isinstance(img_msg.data, list) else img_msg.data
        if len(data) < step * height:
            raise CvBridgeError(
                f'{len(data)} bytes of data, but {height} rows with a step of {step} are '
                f'{step * height}'
            )
        shape, strides = (height, width, source.channels), (step, pixel, dtype.itemsize)
        if source.channels == 1:
            shape, strides = shape[:2], strides[:2]
        image = np.ascontiguousarray(np.ndarray(shape, dtype, buffer=data, strides=strides))
        if dtype.itemsize > 1 and bool(img_msg.is_bigendian) == (sys.byteorder == 'little'):
            image = image.astype(dtype.newbyteorder('='))
        if desired_encoding == 'passthrough':
            return image
        return _convert(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: np.ndarray, encoding: str = 'passthrough', header: object | None = None
    ) -> Image:
        """Return the message of an array; `encoding` names its content, nothing is converted.

        Raises CvBridgeError if the encoding's type and channels are not those of the array.
        """
        image, channels = _require_image(cvim)
        cvtype = _cvtype(image.dtype, channels)
        message = Image(encoding=cvtype if encoding == 'passthrough' else encoding)
        message.height, message.width = image.shape[:2]
        if header is not None:
            message.header = header
        parsed = _Encoding.parse(message.encoding)
        if f'{parsed.depth}C{parsed.channels}' != cvtype:
            raise CvBridgeError(
                f'encoding specified as {encoding}, but image has incompatible type {cvtype}'
            )
        message.is_bigendian = image.dtype.byteorder == '>'
        if image.size:
            # frombytes copies once and is a thousand times faster than assigning to data.
            message.data.frombytes(memoryview(np.ascontiguousarray(image)).cast('B'))
            message.step = len(message.data) // message.height
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = 'passthrough'
    ) -> np.ndarray:
        """Decode a compressed image; color images are bgr8 without `desired_encoding`."""
        import cv2

        data = np.frombuffer(cmprs_img_msg.data, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if image is None:
            raise CvBridgeError(
                f"{data.size} bytes of format '{cmprs_img_msg.format}' are no image that OpenCV "
                'can decode'
            )
        if desired_encoding == 'passthrough':
            return image
        order = {1: 'mono', 3: 'bgr', 4: 'bgra'}[_require_image(image)[1]]
        return _convert(image, f'{order}{image.itemsize * 8}', desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = 'jpg'
    ) -> CompressedImage:
        """Compress an array (gray, BGR or BGRA) as `jpg`, `png` or another format of OpenCV."""
        import cv2

        image, _ = _require_image(cvim)
        message = CompressedImage(format=dst_format)
        try:
            done, encoded = cv2.imencode(f'.{dst_format}', image)
        except cv2.error as error:
            done, encoded = False, error
        if not done:
            raise CvBridgeError(
                f"cannot write an image of shape {image.shape}, {image.dtype} as '{dst_format}': "
                f'{encoded}'
            )
        message.data.frombytes(memoryview(np.ascontiguousarray(encoded)).cast('B'))
        return message


def __getattr__(name: str) -> object:
    raise AttributeError(
        f'cv_bridge.{name} is not part of the stand-in in compat/; install the real package'
    )
