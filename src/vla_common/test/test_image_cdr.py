# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images read in place are what rclpy reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image

from vla_common.image_cdr import _through_rclpy, read_compressed_image, read_image


@given(
    st.text('abcä/_', max_size=9),
    st.sampled_from(['', 'rgb8', 'bgr8', '32FC1', 'mono16']),
    st.binary(max_size=64),
    st.integers(0, 2**31 - 1),
    st.integers(0, 10**9 - 1),
    st.integers(0, 1),
)
@settings(deadline=None, max_examples=100)
def test_every_field_is_what_rclpy_reads(frame, encoding, content, sec, nanosec, big):
    image = Image(height=3, width=7, step=21, encoding=encoding, data=content)
    image.is_bigendian = big
    image.header.frame_id = frame
    image.header.stamp.sec, image.header.stamp.nanosec = sec, nanosec
    serialized = serialize_message(image)
    read, wanted = read_image(serialized), _through_rclpy(serialized)
    assert read.frame_id == wanted.frame_id == frame
    assert read.big_endian is wanted.big_endian is bool(big)
    assert bytes(read.content) == bytes(wanted.content) == content
    assert (read.stamp_ns, read.height, read.width, read.encoding, read.step) == (
        wanted.stamp_ns,
        wanted.height,
        wanted.width,
        wanted.encoding,
        wanted.step,
    )


def test_cut_message_is_refused():
    serialized = serialize_message(
        Image(height=1, width=4, step=12, encoding='rgb8', data=b'x' * 12)
    )
    for length in range(4, len(serialized) - 4, 3):
        with pytest.raises(ValueError, match='not a sensor_msgs/Image'):
            read_image(serialized[:length])


@given(st.text('abcä/_', max_size=9), st.text('a; b', max_size=30), st.binary(max_size=64))
@settings(deadline=None, max_examples=100)
def test_a_compressed_image_is_read_and_a_cut_one_is_refused(frame, form, content):
    image = CompressedImage(format=form, data=content)
    image.header.frame_id = frame
    image.header.stamp.sec, image.header.stamp.nanosec = 3, 7
    serialized = serialize_message(image)
    read = read_compressed_image(serialized)
    assert (read.stamp_ns, read.frame_id, read.format) == (3_000_000_007, frame, form)
    assert bytes(read.content) == content
    for length in range(4, len(serialized) - 4, 5):
        with pytest.raises(ValueError, match='not a sensor_msgs/CompressedImage'):
            read_compressed_image(serialized[:length])
