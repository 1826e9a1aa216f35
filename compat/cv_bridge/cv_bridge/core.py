# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The bridge itself."""

from __future__ import annotations

import sys

import numpy as np
import sensor_msgs.msg

from . import encodings
from .conversion import convert


class CvBridgeError(TypeError):
    """An image cannot be converted as asked."""


def _parse(name: str) -> encodings.Encoding:
    try:
        return encodings.parse(name)
    except ValueError as error:
        raise CvBridgeError(str(error)) from None


def _convert(image: np.ndarray, source: str, wanted: str) -> np.ndarray:
    try:
        return convert(image, _parse(source), _parse(wanted))
    except ValueError as error:
        raise CvBridgeError(str(error)) from None


def _channels(image: np.ndarray) -> int:
    return image.shape[2] if image.ndim > 2 else 1


def _require_image(image: object) -> np.ndarray:
    if not isinstance(image, (np.ndarray, np.generic)):
        raise TypeError(f'Your input type is not a numpy array: {type(image).__name__}')
    if image.ndim not in (2, 3):
        raise CvBridgeError(f'an image has 2 or 3 dimensions, this array has shape {image.shape}')
    return image


class CvBridge:
    """Converts between NumPy arrays as OpenCV uses them and image messages."""

    def dtype_with_channels_to_cvtype2(self, dtype: np.dtype, n_channels: int) -> str:
        """Return OpenCV's type name, such as ``8UC3``."""
        wanted = np.dtype(dtype).name
        for depth, name in encodings.DEPTH_TO_DTYPE.items():
            if name == wanted:
                return f'{depth}C{n_channels}'
        known = ', '.join(encodings.DEPTH_TO_DTYPE.values())
        raise CvBridgeError(f'images of {wanted} do not exist in OpenCV; there are {known}')

    def cvtype2_to_dtype_with_channels(self, cvtype: int) -> tuple[str, int]:
        """Return NumPy's type name and the channels of OpenCV's type number."""
        import cv2

        step = cv2.CV_8UC2 - cv2.CV_8UC1
        for depth, name in encodings.DEPTH_TO_DTYPE.items():
            if getattr(cv2, f'CV_{depth}') == cvtype % step:
                return name, cvtype // step + 1
        raise CvBridgeError(f'OpenCV type {cvtype} has no NumPy counterpart')

    def encoding_to_cvtype2(self, encoding: str) -> int:
        """Return OpenCV's type number of an encoding."""
        import cv2

        parsed = _parse(encoding)
        # The number of bits of the depth differs between OpenCV 4 and 5: ask cv2.
        step = cv2.CV_8UC2 - cv2.CV_8UC1
        return getattr(cv2, f'CV_{parsed.depth}') + (parsed.channels - 1) * step

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        """Return NumPy's type name and the number of channels of an encoding."""
        parsed = _parse(encoding)
        return parsed.dtype, parsed.channels

    def imgmsg_to_cv2(
        self, img_msg: sensor_msgs.msg.Image, desired_encoding: str = 'passthrough'
    ) -> np.ndarray:
        """Return the image, (height, width) for one channel or (height, width, channels).

        With ``passthrough`` the array shares the message's memory where rows are not padded and
        the byte order is this machine's; with an encoding it is always a copy.
        """
        source = _parse(img_msg.encoding)
        order = '>' if img_msg.is_bigendian else '<'
        dtype = np.dtype(source.dtype).newbyteorder(order)
        pixel = dtype.itemsize * source.channels
        height, width, step = img_msg.height, img_msg.width, img_msg.step
        if step < width * pixel:
            raise CvBridgeError(
                f'step is {step} bytes, but {width} pixels of {source.name} are {width * pixel}'
            )
        data = img_msg.data
        if isinstance(data, list):
            data = bytes(data)
        if len(data) < step * height:
            raise CvBridgeError(
                f'{len(data)} bytes of data, but {height} rows with a step of {step} are '
                f'{step * height}'
            )
        if source.channels == 1:
            shape, strides = (height, width), (step, dtype.itemsize)
        else:
            shape = (height, width, source.channels)
            strides = (step, pixel, dtype.itemsize)
        image = np.ascontiguousarray(np.ndarray(shape, dtype, buffer=data, strides=strides))
        if dtype.itemsize > 1 and bool(img_msg.is_bigendian) == (sys.byteorder == 'little'):
            image = image.astype(dtype.newbyteorder('='))
        if desired_encoding == 'passthrough':
            return image
        return _convert(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self,
        cvim: np.ndarray,
        encoding: str = 'passthrough',
        header: object | None = None,
    ) -> sensor_msgs.msg.Image:
        """Return the message of an array; ``encoding`` names what is in it, nothing is converted.

        Raises CvBridgeError if the encoding's type and channels are not those of the array.
        """
        image = _require_image(cvim)
        cvtype = self.dtype_with_channels_to_cvtype2(image.dtype, _channels(image))
        message = sensor_msgs.msg.Image()
        message.height, message.width = image.shape[:2]
        if header is not None:
            message.header = header
        if encoding == 'passthrough':
            message.encoding = cvtype
        else:
            parsed = _parse(encoding)
            if f'{parsed.depth}C{parsed.channels}' != cvtype:
                raise CvBridgeError(
                    f'encoding specified as {encoding}, but image has incompatible type {cvtype}'
                )
            message.encoding = encoding
        message.is_bigendian = image.dtype.byteorder == '>'
        if image.size:
            # frombytes copies once and is a thousand times faster than assigning to data.
            message.data.frombytes(memoryview(np.ascontiguousarray(image)).cast('B'))
            message.step = len(message.data) // message.height
        return message

    def compressed_imgmsg_to_cv2(
        self,
        cmprs_img_msg: sensor_msgs.msg.CompressedImage,
        desired_encoding: str = 'passthrough',
    ) -> np.ndarray:
        """Decode a compressed image; colour images come out as bgr8 unless asked otherwise."""
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
        order = {1: 'mono', 3: 'bgr', 4: 'bgra'}[_channels(image)]
        return _convert(image, f'{order}{image.itemsize * 8}', desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = 'jpg'
    ) -> sensor_msgs.msg.CompressedImage:
        """Compress an array (grey, BGR or BGRA) as ``jpg``, ``png`` or what else OpenCV writes."""
        import cv2

        image = _require_image(cvim)
        message = sensor_msgs.msg.CompressedImage()
        message.format = dst_format
        try:
            done, encoded = cv2.imencode(f'.{dst_format}', image)
        except cv2.error as error:
            raise CvBridgeError(
                f"cannot write an image of shape {image.shape}, {image.dtype} as '{dst_format}': "
                f'{error}'
            ) from None
        if not done:
            raise CvBridgeError(f"cannot write {image.dtype} image as '{dst_format}'")
        message.data.frombytes(memoryview(np.ascontiguousarray(encoded)).cast('B'))
        return message
