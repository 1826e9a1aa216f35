# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the workspace expects of `cv_bridge`, whoever provides it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip('cv2')
sensor_msgs = pytest.importorskip('sensor_msgs.msg')
cv_bridge = pytest.importorskip('cv_bridge')

from cv_bridge import CvBridge, CvBridgeError  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

IS_STAND_IN = 'compat' in Path(cv_bridge.__file__).parts
stand_in_only = pytest.mark.skipif(not IS_STAND_IN, reason='the real cv_bridge is installed')

ENCODINGS = {
    'mono8': (np.uint8, 1),
    'rgb8': (np.uint8, 3),
    'bgr8': (np.uint8, 3),
    'rgba8': (np.uint8, 4),
    'bgra8': (np.uint8, 4),
    'mono16': (np.uint16, 1),
    '8UC1': (np.uint8, 1),
    '8UC2': (np.uint8, 2),
    '8UC3': (np.uint8, 3),
    '8UC4': (np.uint8, 4),
    '16UC1': (np.uint16, 1),
    '16SC1': (np.int16, 1),
    '32FC1': (np.float32, 1),
}


def array_of(encoding: str, height: int = 4, width: int = 5) -> np.ndarray:
    dtype, channels = ENCODINGS[encoding]
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def one_pixel(values: list[int], encoding: str, dtype: type = np.uint8) -> Image:
    image = np.array(values, dtype)
    image = image.reshape((1, 1) if image.size == 1 else (1, 1, -1))
    return CvBridge().cv2_to_imgmsg(image, encoding)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_an_image_comes_back_as_it_went(encoding: str) -> None:
    image = array_of(encoding)
    message = CvBridge().cv2_to_imgmsg(image, encoding)
    assert (message.height, message.width, message.encoding) == (4, 5, encoding)
    assert message.step == image.strides[0]
    assert bytes(message.data) == image.tobytes()
    back = CvBridge().imgmsg_to_cv2(message)
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, image)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_image_survives_both_ways(data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(sorted(ENCODINGS)))
    dtype, channels = ENCODINGS[encoding]
    sides = st.integers(1, 7)
    shape = (data.draw(sides), data.draw(sides)) + (() if channels == 1 else (channels,))
    image = data.draw(hnp.arrays(dtype, shape))
    # A slice that is not contiguous must be packed, not reinterpreted.
    wide = np.repeat(image, 2, axis=1)[:, ::2]
    for given_image in (image, wide):
        message = CvBridge().cv2_to_imgmsg(given_image, encoding)
        np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message), image)


def test_without_an_encoding_the_message_names_the_opencv_type() -> None:
    assert CvBridge().cv2_to_imgmsg(array_of('rgb8')).encoding == '8UC3'
    assert CvBridge().cv2_to_imgmsg(array_of('16UC1')).encoding == '16UC1'
    assert CvBridge().cv2_to_imgmsg(array_of('32FC1')).encoding == '32FC1'


def test_the_header_is_taken_over() -> None:
    header = Image().header
    header.frame_id = 'camera'
    header.stamp.sec = 3
    assert CvBridge().cv2_to_imgmsg(array_of('rgb8'), 'rgb8', header=header).header == header


def test_padded_rows_are_cut() -> None:
    image = array_of('rgb8')
    message = CvBridge().cv2_to_imgmsg(image, 'rgb8')
    # 5 pixels of 3 bytes, padded to a multiple of 3 and 2 pixels more.
    message.step = 21
    rows = [row.tobytes() + b'\xff' * 6 for row in image]
    message.data = b''.join(rows)
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message), image)


@stand_in_only
def test_rows_padded_to_any_step_are_cut() -> None:
    image = array_of('rgb8')
    message = CvBridge().cv2_to_imgmsg(image, 'rgb8')
    message.step = 16
    message.data = b''.join(row.tobytes() + b'\xff' for row in image)
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message), image)


@stand_in_only
def test_the_other_byte_order_is_swapped() -> None:
    # The real one calls ndarray.newbyteorder, which NumPy 2 no longer has.
    image = array_of('16UC1')
    message = CvBridge().cv2_to_imgmsg(image, '16UC1')
    message.data = image.byteswap().tobytes()
    message.is_bigendian = sys.byteorder == 'little'
    back = CvBridge().imgmsg_to_cv2(message)
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, image)


def test_reading_as_it_is_shares_the_memory_of_the_message() -> None:
    message = CvBridge().cv2_to_imgmsg(array_of('rgb8'), 'rgb8')
    assert np.shares_memory(
        CvBridge().imgmsg_to_cv2(message), np.frombuffer(message.data, np.uint8)
    )
    copy = CvBridge().imgmsg_to_cv2(message, 'rgb8')
    assert not np.shares_memory(copy, np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize(
    ('source', 'values', 'wanted', 'expected'),
    [
        ('rgb8', [10, 20, 30], 'bgr8', [30, 20, 10]),
        ('bgr8', [30, 20, 10], 'rgb8', [10, 20, 30]),
        ('rgb8', [10, 20, 30], 'rgba8', [10, 20, 30, 255]),
        ('rgb8', [10, 20, 30], 'bgra8', [30, 20, 10, 255]),
        ('rgba8', [10, 20, 30, 40], 'bgr8', [30, 20, 10]),
        ('bgra8', [30, 20, 10, 40], 'rgba8', [10, 20, 30, 40]),
        ('rgb8', [255, 0, 0], 'mono8', [76]),
        ('bgr8', [255, 0, 0], 'mono8', [29]),
        ('mono8', [7], 'rgb8', [7, 7, 7]),
        ('mono8', [7], 'bgra8', [7, 7, 7, 255]),
        ('mono8', [1], 'mono16', [257]),
        ('mono8', [255], 'mono16', [65535]),
        ('8UC3', [1, 2, 3], '8UC3', [1, 2, 3]),
        ('rgb8', [1, 2, 3], '8UC3', [1, 2, 3]),
    ],
)
def test_colours_are_converted(
    source: str, values: list[int], wanted: str, expected: list[int]
) -> None:
    result = CvBridge().imgmsg_to_cv2(one_pixel(values, source), wanted)
    assert result.ravel().tolist() == expected
    assert result.ndim == (2 if len(expected) == 1 else 3)


@pytest.mark.parametrize(('value', 'expected'), [(0, 0), (256, 1), (65535, 255), (129, 1)])
def test_sixteen_bits_are_scaled_to_eight(value: int, expected: int) -> None:
    message = one_pixel([value], 'mono16', np.uint16)
    assert CvBridge().imgmsg_to_cv2(message, 'mono8').tolist() == [[expected]]


def test_depth_in_millimetres_becomes_float_without_scaling() -> None:
    message = one_pixel([1500], '16UC1', np.uint16)
    result = CvBridge().imgmsg_to_cv2(message, '32FC1')
    assert (result.dtype, result.tolist()) == (np.float32, [[1500.0]])


@pytest.mark.parametrize(
    ('source', 'wanted'),
    [('16UC1', 'mono16'), ('8UC3', 'bgr8'), ('8UC1', '8UC3'), ('rgb8', '8UC1')],
)
def test_conversions_without_a_meaning_are_refused(source: str, wanted: str) -> None:
    message = CvBridge().cv2_to_imgmsg(array_of(source), source)
    with pytest.raises(CvBridgeError):
        CvBridge().imgmsg_to_cv2(message, wanted)


def test_an_unknown_encoding_is_refused_by_name() -> None:
    message = CvBridge().cv2_to_imgmsg(array_of('rgb8'), 'rgb8')
    message.encoding = 'rgb9'
    with pytest.raises(CvBridgeError, match='rgb9'):
        CvBridge().imgmsg_to_cv2(message)
    with pytest.raises(CvBridgeError, match='rgb9'):
        CvBridge().cv2_to_imgmsg(array_of('rgb8'), 'rgb9')


def test_an_encoding_that_the_array_does_not_have_is_refused() -> None:
    with pytest.raises(CvBridgeError, match='mono8.*8UC3'):
        CvBridge().cv2_to_imgmsg(array_of('rgb8'), 'mono8')
    with pytest.raises(CvBridgeError, match='32FC1.*16UC1'):
        CvBridge().cv2_to_imgmsg(array_of('16UC1'), '32FC1')


def test_what_is_no_array_is_a_type_error() -> None:
    with pytest.raises(TypeError, match='not a numpy array'):
        CvBridge().cv2_to_imgmsg([[1, 2], [3, 4]])
    with pytest.raises(TypeError, match='not a numpy array'):
        CvBridge().cv2_to_compressed_imgmsg([[1, 2], [3, 4]])


@stand_in_only
def test_data_shorter_than_promised_is_refused_with_the_numbers() -> None:
    message = CvBridge().cv2_to_imgmsg(array_of('rgb8'), 'rgb8')
    message.data = message.data[:-1]
    with pytest.raises(CvBridgeError, match='59 bytes.*4 rows with a step of 15 are 60'):
        CvBridge().imgmsg_to_cv2(message)
    message.step = 14
    with pytest.raises(CvBridgeError, match='step is 14 bytes, but 5 pixels of rgb8 are 15'):
        CvBridge().imgmsg_to_cv2(message)


@stand_in_only
def test_what_is_left_out_says_so_and_names_it() -> None:
    message = one_pixel([1], 'mono8')
    message.encoding = 'bayer_rggb8'
    assert CvBridge().imgmsg_to_cv2(message).tolist() == [[1]]
    with pytest.raises(CvBridgeError, match='bayer_rggb8.*is not part of the stand-in in compat/'):
        CvBridge().imgmsg_to_cv2(message, 'rgba8')
    with pytest.raises(AttributeError, match='cvtColorForDisplay is not part of the stand-in'):
        cv_bridge.cvtColorForDisplay  # noqa: B018


BAYER = {'rggb': 'RGGB', 'bggr': 'BGGR', 'gbrg': 'GBRG', 'grbg': 'GRBG'}


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', BAYER)
@pytest.mark.parametrize('channel', range(3))
def test_one_color_behind_a_bayer_filter_is_that_color(pattern, bits, channel) -> None:
    dtype, full = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    image = np.zeros((8, 8), dtype)
    for i, letter in enumerate(BAYER[pattern]):
        if letter == 'RGB'[channel]:
            image[i // 2 :: 2, i % 2 :: 2] = full
    message = CvBridge().cv2_to_imgmsg(image, '8UC1' if bits == 8 else '16UC1')
    message.encoding = f'bayer_{pattern}{bits}'
    inner = CvBridge().imgmsg_to_cv2(message, 'rgb8')[2:6, 2:6].reshape(-1, 3)
    expected = np.zeros(3)
    expected[channel] = 255
    np.testing.assert_array_equal(inner, np.tile(expected, (16, 1)))
    bgr = CvBridge().imgmsg_to_cv2(message, 'bgr8')[2:6, 2:6].reshape(-1, 3)
    np.testing.assert_array_equal(bgr, inner[:, ::-1])


@pytest.mark.parametrize('encoding', ['yuv422', 'yuv422_yuy2'])
@pytest.mark.parametrize(
    ('rgb', 'yuv'), [((255, 0, 0), (82, 90, 240)), ((0, 0, 255), (41, 240, 110))]
)
def test_yuv_of_a_color_is_that_color(encoding, rgb, yuv) -> None:
    y, u, v = yuv  # ITU-R BT.601, video range
    pair = [u, y, v, y] if encoding == 'yuv422' else [y, u, y, v]
    message = Image(height=2, width=4, step=8, encoding=encoding, data=bytes(pair * 4))
    found = CvBridge().imgmsg_to_cv2(message, 'rgb8')
    assert found.shape == (2, 4, 3)
    assert np.abs(found.astype(int) - rgb).max() <= 3
    np.testing.assert_array_equal(CvBridge().imgmsg_to_cv2(message, 'bgr8'), found[..., ::-1])


def test_encodings_are_known_by_type_and_channels() -> None:
    for encoding, (dtype, channels) in ENCODINGS.items():
        found = CvBridge().encoding_to_dtype_with_channels(encoding)
        assert found == (np.dtype(dtype).name, channels)


@pytest.mark.parametrize('encoding', ['bgr8', 'mono8', 'bgra8', 'mono16'])
def test_png_is_lossless(encoding: str) -> None:
    image = array_of(encoding)
    message = CvBridge().cv2_to_compressed_imgmsg(image, 'png')
    assert message.format == 'png'
    np.testing.assert_array_equal(CvBridge().compressed_imgmsg_to_cv2(message), image)


def test_jpeg_keeps_the_colours_and_converts_on_the_way_out() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 2] = 200
    message = CvBridge().cv2_to_compressed_imgmsg(image)
    assert message.format == 'jpg'
    bgr = CvBridge().compressed_imgmsg_to_cv2(message)
    rgb = CvBridge().compressed_imgmsg_to_cv2(message, 'rgb8')
    assert np.abs(bgr.astype(int) - image).max() < 8
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])


@stand_in_only
def test_bytes_that_are_no_picture_are_refused() -> None:
    for data in (b'', b'not a picture'):
        with pytest.raises(CvBridgeError, match='no image that OpenCV can decode'):
            CvBridge().compressed_imgmsg_to_cv2(CompressedImage(format='jpg', data=data))
