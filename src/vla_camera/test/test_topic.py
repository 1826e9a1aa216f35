# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images of other drivers: right colors and metres whatever the encoding."""

import struct
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from cv_bridge import CvBridge
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_camera.foreign_images import color_of, decoded_color, decoded_depth, depth_of
from vla_camera.node import CameraNode
from vla_camera.sources.topic import TopicSource
from vla_common import qos
from vla_common.image_cdr import read_compressed_image, read_image
from vla_common.messages import ns_to_stamp, stamp_to_ns
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented

# -- encodings -------------------------------------------------------------------------------------

BANDS = np.zeros((16, 24, 3), np.uint8)  # red, green, blue, from left to right
BANDS[:, :8, 0] = BANDS[:, 8:16, 1] = BANDS[:, 16:, 2] = 255
CENTRES = (4, 12, 20)
BAYER = {'rggb': ((0, 1), (1, 2)), 'bggr': ((2, 1), (1, 0)), 'gbrg': ((1, 2), (0, 1)),
         'grbg': ((1, 0), (2, 1))}  # fmt: skip


def mosaic(pattern: str) -> np.ndarray:
    image = np.zeros(BANDS.shape[:2], np.uint8)
    for i in range(2):
        for j in range(2):
            image[i::2, j::2] = BANDS[i::2, j::2, BAYER[pattern][i][j]]
    return image


def yuv(order: str) -> np.ndarray:
    y, v, u = np.moveaxis(cv2.cvtColor(BANDS, cv2.COLOR_RGB2YCrCb).astype(float), 2, 0)
    video = {'y': 16 + 219 / 255 * y, 'u': 128 + 224 / 255 * (u - 128)}
    video['v'] = 128 + 224 / 255 * (v - 128)
    y, u, v = (np.rint(video[c]).astype(np.uint8) for c in 'yuv')
    planes = {'u': np.stack([u[:, ::2], v[:, ::2]], 2).reshape(y.shape), 'y': y}
    return np.stack([planes[c] for c in order], 2)


def alpha(image: np.ndarray) -> np.ndarray:
    return np.dstack([image, np.full(image.shape[:2], 9, np.uint8)])


COLORED = {
    'rgb8': BANDS,
    'bgr8': BANDS[..., ::-1],
    'rgba8': alpha(BANDS),
    'bgra8': alpha(BANDS[..., ::-1]),
    'rgb16': BANDS.astype(np.uint16) * 257,
    'bgr16': BANDS[..., ::-1].astype(np.uint16) * 257,
    'rgba16': alpha(BANDS).astype(np.uint16) * 257,
    'bgra16': alpha(BANDS[..., ::-1]).astype(np.uint16) * 257,
    **{f'bayer_{p}8': mosaic(p) for p in BAYER},
    **{f'bayer_{p}16': mosaic(p).astype(np.uint16) * 257 for p in BAYER},
    'yuv422': yuv('uy'),
    'yuv422_yuy2': yuv('yu'),
    'uyvy': yuv('uy'),
    'yuyv': yuv('yu'),
}
GREY = {'mono8': np.uint8, '8UC1': np.uint8, 'mono16': np.uint16, '16UC1': np.uint16}


def message_of(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False) -> Image:
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder('>' if big else '<'))
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAB)
    image = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    image.step, image.is_bigendian, image.data = rows.shape[1], int(big), rows.tobytes()
    return image


def wire(message: Image):
    return read_image(serialize_message(message))


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 1, 7, 64])
@pytest.mark.parametrize('encoding', COLORED)
def test_red_stays_red_in_every_encoding(encoding, padding, big):
    rgb = color_of(wire(message_of(COLORED[encoding], encoding, padding, big)))
    assert (rgb.shape, rgb.dtype) == (BANDS.shape, np.uint8)
    for channel, column in enumerate(CENTRES):
        wanted = np.zeros(3)
        wanted[channel] = 255
        assert np.abs(rgb[4:12, column].astype(int) - wanted).max() <= 3, encoding


@pytest.mark.parametrize('encoding', [*COLORED, 'mono8', 'mono16'])
def test_colors_are_those_of_cv_bridge(encoding):
    if encoding in ('uyvy', 'yuyv'):
        pytest.skip('names that not every cv_bridge converts')
    pixels = COLORED.get(encoding)
    if pixels is None:
        pixels = np.arange(384).reshape(16, 24).astype(GREY[encoding])
    message = message_of(pixels, encoding)
    wanted = CvBridge().imgmsg_to_cv2(message, 'rgb8')
    np.testing.assert_array_equal(color_of(wire(message)), wanted)


OPENCV = [f'{bits}C{n}' for bits in ('8U', '8S', '16U', '16S', '32S', '32F', '64F')
          for n in range(1, 5)]  # fmt: skip
ENCODINGS = {
    'rgb8', 'rgba8', 'rgb16', 'rgba16', 'bgr8', 'bgra8', 'bgr16', 'bgra16', 'mono8', 'mono16',
    'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8', 'bayer_rggb16', 'bayer_bggr16',
    'bayer_gbrg16', 'bayer_grbg16', 'uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'nv21', 'nv24',
    *OPENCV,
}  # fmt: skip
"""All of sensor_msgs/image_encodings.hpp (Jazzy)."""


@pytest.mark.parametrize('encoding', sorted(ENCODINGS - COLORED.keys() - GREY.keys()))
def test_every_other_encoding_of_sensor_msgs_is_refused_as_a_color(encoding):
    # Two planes (nv21, nv24), and OpenCV's types without an order of channels.
    size = {'8': 1, '1': 2, '3': 4, '6': 8}.get(encoding[0], 1) * int(encoding[-1])
    image = Image(height=4, width=4, encoding=encoding, step=4 * size, data=bytes(16 * size))
    with pytest.raises(ValueError, match=f'encoding {encoding}, wanted a color encoding'):
        color_of(wire(image))


@pytest.mark.parametrize('encoding', GREY)
def test_grey_is_grey_and_sixteen_bits_are_scaled(encoding):
    full = np.iinfo(GREY[encoding]).max
    pixels = np.array([[0, full // 2, full]], GREY[encoding])
    rgb = color_of(wire(message_of(pixels, encoding, padding=3, big=True)))
    assert np.abs(rgb[0].astype(int) - np.array([[0], [127], [255]])).max() <= 1


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize(
    ('encoding', 'values'),
    [('16UC1', np.uint16([[0, 1500, 65535]])), ('mono16', np.uint16([[0, 1500, 65535]])),
     ('32FC1', np.float32([[0, 1.5, 65.535]])), ('32FC1', np.float32([[np.nan, 1.5, 65.535]]))],
)  # fmt: skip
def test_depth_is_metres_and_what_was_not_measured_is_nan(encoding, values, padding, big):
    depth = depth_of(wire(message_of(values, encoding, padding, big)))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[np.nan, 1.5, 65.535]], rtol=1e-6)
    if encoding == '16UC1' and not big and not padding:
        bridged = CvBridge().imgmsg_to_cv2(message_of(values, encoding), '32FC1')
        np.testing.assert_allclose(depth[0, 1:], bridged[0, 1:] / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ('case', 'read', 'encoding', 'words'),
    [
        ('an image of an unknown encoding', color_of, 'h264', 'encoding h264, wanted a color'),
        ('three channels of no order', color_of, '8UC3', 'encoding 8UC3, wanted a color'),
        ('depth as a color image', color_of, '32FC1', 'encoding 32FC1, wanted a color'),
        ('a color image as depth', depth_of, 'rgb8', 'encoding rgb8, wanted depth'),
    ],
)
def test_an_encoding_that_is_not_this_kind_of_image_is_refused(case, read, encoding, words):
    pixels = {'8UC3': BANDS, 'rgb8': BANDS, '32FC1': np.ones((2, 2), np.float32)}
    with pytest.raises(ValueError, match=words) as error:
        read(wire(message_of(pixels.get(encoding, np.ones((2, 2), np.uint8)), encoding)))
    documented('Images of other drivers', case, error.value)


@pytest.mark.parametrize('change', [{'step': 71}, {'height': 17}, {'width': 0}, {'height': 0}])
def test_an_image_of_another_size_than_announced_is_refused(change):
    message = message_of(BANDS, 'rgb8')
    for key, value in change.items():
        setattr(message, key, value)
    with pytest.raises(ValueError, match=r'bytes for .* rgb8, step .*; wanted at least'):
        color_of(wire(message))


def compressed(message: CompressedImage):
    return read_compressed_image(serialize_message(message))


@pytest.mark.parametrize(
    ('form', 'image', 'tolerance'),
    [('jpg', BANDS[..., ::-1], 40), ('png', BANDS[..., ::-1], 0),
     ('png', alpha(BANDS[..., ::-1]), 0), ('png', BANDS[..., ::-1].astype(np.uint16) * 257, 0)],
)  # fmt: skip
def test_a_compressed_image_has_the_same_colors(form, image, tolerance):
    message = CvBridge().cv2_to_compressed_imgmsg(np.ascontiguousarray(image), form)
    rgb = decoded_color(compressed(message))
    assert (rgb.shape, rgb.dtype) == (BANDS.shape, np.uint8)
    centres = np.abs(rgb[:, CENTRES].astype(int) - BANDS[:, CENTRES])
    assert centres.max() <= tolerance


def test_a_compressed_grey_image_is_grey():
    message = CvBridge().cv2_to_compressed_imgmsg(np.uint8([[0, 128], [255, 7]]), 'png')
    np.testing.assert_array_equal(decoded_color(compressed(message))[..., 1], [[0, 128], [255, 7]])


@pytest.mark.parametrize('content', [b'', b'no picture'])
def test_bytes_that_are_no_compressed_image_are_refused(content):
    message = CompressedImage(format='jpeg', data=content)
    for read in (decoded_color, decoded_depth):
        with pytest.raises(ValueError, match='bytes of format'):
            read(compressed(message))


def test_compressed_depth_is_metres():
    counts = np.uint16([[0, 1500, 4000]])
    png = cv2.imencode('.png', counts)[1].tobytes()
    plain = CompressedImage(format='16UC1; png compressed', data=png)
    headed = CompressedImage(
        format='16UC1; compressedDepth png', data=struct.pack('<iff', 0, 0, 0) + png
    )
    for message in (plain, headed):
        found = decoded_depth(compressed(message))
        np.testing.assert_allclose(found, [[np.nan, 1.5, 4.0]], rtol=1e-6)
    # compressed_depth_image_transport: value = A / depth + B, A = 100 * 101, B = 1 - A / 10 m
    a, b = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
    depth = np.array([[np.nan, 0.5, 3.0]])
    values = np.nan_to_num(np.rint(a / depth + b)).astype(np.uint16)
    png = cv2.imencode('.png', values)[1].tobytes()
    message = CompressedImage(
        format='32FC1; compressedDepth png', data=struct.pack('<iff', 0, a, b) + png
    )
    found = decoded_depth(compressed(message))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, depth, rtol=1e-3)


# -- the source in the node ------------------------------------------------------------------------


class Driver:
    """Another package's camera driver, 30 Hz: what it publishes is set by the test."""

    def __init__(self, ros, kind=Image, topic='/driver/color/image_raw', depth=False) -> None:
        self.probe = ros.probe('driver')
        self.image = kind()
        self.depth = Image() if depth else None
        self.info = CameraInfo(width=24, height=16, distortion_model='plumb_bob', d=[0.1] * 5)
        self.info.k = [20.0, 0.0, 11.5, 0.0, 21.0, 7.5, 0.0, 0.0, 1.0]
        self.publishes = True
        self.stamped = True
        self.frozen, self.ahead_ns = False, 0
        self.number = 0
        self._out = self.probe.publisher(kind, topic, qos.STATE)
        self._info_out = self.probe.publisher(CameraInfo, '/driver/color/camera_info', qos.STATE)
        self._depth_out = self.probe.publisher(Image, '/driver/depth/image', qos.STATE)
        self.probe.node.create_timer(1 / 30, self.tick)

    def tick(self) -> None:
        if not self.publishes:
            return
        self.number += 1
        if isinstance(self.image, Image) and len(self.image.data) and not self.frozen:
            self.image.data[0] = self.number % 200  # noise of a sensor
        now = ns_to_stamp(time.time_ns() + self.ahead_ns)
        for message in (self.image, self.info, self.depth):
            if message is not None and self.stamped:
                message.header.stamp = now
        self._out.publish(self.image)
        self._info_out.publish(self.info)
        if self.depth is not None:
            self._depth_out.publish(self.depth)


def listen(ros):
    probe = ros.probe()
    return (
        probe.subscribe(Image, '/camera/color/image_raw', qos.IMAGE),
        probe.subscribe(CameraInfo, '/camera/color/camera_info', qos.IMAGE),
        probe.subscribe(Image, '/camera/depth/image_raw', qos.IMAGE),
    )


def camera(ros, device='/driver/color/image_raw', **parameters):
    return ros.node(CameraNode, source='topic', device=device, **parameters)


def reason(ros, node) -> str:
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    return node._lifecycle_message[1]


def test_a_driver_of_bgra_and_millimetres_is_published_as_rgb_and_metres(ros):
    driver = Driver(ros, depth=True)
    driver.image = message_of(COLORED['bgra8'], 'bgra8', padding=32)
    counts = np.full((16, 24), 1250, np.uint16)
    counts[0, 0] = 0
    driver.depth = message_of(counts, '16UC1', padding=2, big=True)
    images, infos, depths = listen(ros)
    node = camera(ros, depth_topic='driver/depth/image')
    ros.configure(node)
    ros.activate(node)
    infos.wait(5)
    depths.wait(2)
    seen = images.last
    assert (seen.encoding, seen.width, seen.height, seen.step) == ('rgb8', 24, 16, 72)
    pixels = np.frombuffer(seen.data, np.uint8).reshape(16, 24, 3)
    np.testing.assert_array_equal(pixels[1:], BANDS[1:])
    metres = np.frombuffer(depths.last.data, np.float32).reshape(16, 24)
    assert np.isnan(metres[0, 0]) and metres[5, 5] == pytest.approx(1.25)
    assert list(infos.last.k) == list(driver.info.k)
    assert seen.header.frame_id == 'head_camera'
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)
    assert 0 <= float(node.diagnose()[2]['delay_ms']) < 1000


def test_another_rate_than_expected_frozen_images_and_a_clock_that_is_ahead_are_reported(ros):
    driver = Driver(ros)
    driver.image = message_of(BANDS, 'rgb8')
    node = camera(ros, rate=100.0, frozen_after=0.5)
    ros.configure(node)
    ros.activate(node)
    wait_until(lambda: 'Hz, 100 Hz are set: the rate and exposure' in node.diagnose()[1], 30.0)
    assert float(node.diagnose()[2]['smallest_delay_ms']) >= 0.0
    driver.ahead_ns = 200_000_000
    node._source._rate = 0.0
    wait_until(lambda: 'ms ahead of this one' in node._source.warning, 10.0)
    assert float(node.diagnose()[2]['smallest_delay_ms']) < -100.0
    driver.frozen = True
    wait_until(lambda: 'frozen' in node.diagnose()[1], 10.0)


def test_two_drivers_on_one_topic_are_refused_and_reported_while_running(ros):
    driver = Driver(ros)
    driver.image = message_of(BANDS, 'rgb8')
    node = camera(ros)
    ros.configure(node)
    ros.activate(node)
    second = driver.probe.publisher(Image, '/driver/color/image_raw', qos.STATE)
    wait_until(lambda: '2 publishers' in node.diagnose()[1])
    assert node.diagnose()[0] is Level.WARNING and second is not None
    ros.deactivate(node)
    assert ros.change(node, Transition.TRANSITION_CLEANUP)
    message = reason(ros, node)
    assert 'has 2 publishers: images of two cameras would be mixed' in message
    documented('Images of other drivers', 'two publishers', message)


def test_a_compressed_topic_is_read_and_images_without_stamps_get_that_of_their_arrival(ros):
    driver = Driver(ros, CompressedImage, '/driver/color/image_raw/compressed')
    driver.image = CvBridge().cv2_to_compressed_imgmsg(np.ascontiguousarray(BANDS[..., ::-1]))
    driver.stamped = False
    before = time.time_ns()
    images, infos, _ = listen(ros)
    node = camera(ros, '/driver/color/image_raw/compressed')
    ros.configure(node)
    ros.activate(node)
    infos.wait(4)
    stamps = [stamp_to_ns(m.header.stamp) for m in infos.messages]
    assert stamps == sorted(set(stamps)) and before < stamps[0] < time.time_ns()
    assert infos.last.k[0] == 20.0
    assert np.frombuffer(images.last.data, np.uint8).reshape(16, 24, 3)[8, 4, 0] > 200
    assert int(node.diagnose()[2]['without_stamp']) > 0


def test_a_silent_driver_is_named_and_its_images_are_new_when_it_is_back(ros):
    driver = Driver(ros)
    driver.image = message_of(BANDS, 'rgb8')
    _, infos, _ = listen(ros)
    node = camera(ros, stall_after=0.3)
    ros.configure(node)
    ros.activate(node)
    infos.wait(3)
    driver.publishes = False
    wait_until(lambda: 'no frame for' in node.diagnose()[1])
    assert node.diagnose()[0] is Level.DANGER
    infos.clear()
    back = time.time_ns()
    driver.publishes = True
    infos.wait(2)
    assert stamp_to_ns(infos.messages[0].header.stamp) >= back
    driver.image = message_of(COLORED['bgr8'][:8], 'bgr8')
    wait_until(
        lambda: 'a frame of 24 x 8' in node.diagnose()[1] or '24 x 8 px' in node.diagnose()[1]
    )
    driver.image = message_of(np.ones((16, 24), np.float32), '32FC1')
    wait_until(lambda: 'encoding 32FC1, wanted a color' in node.diagnose()[1])


def test_topics_that_give_no_image_are_refused_with_what_is_there(ros):
    driver = Driver(ros)
    driver.image = message_of(BANDS, 'rgb8')
    place = 'configure failed: '
    node = camera(ros, open_timeout=1.5)
    for case, device, more, words in (
        ('a topic without a publisher', '/driver/colour', {},
         'no image on /driver/colour: it has no publisher; topics of images: '
         '/driver/color/image_raw, /driver/depth/image'),
        ('no topic', '', {}, 'found nothing, wanted the topic of another node'),
        ('its own topic', 'camera/color/image_raw', {},
         'found /camera/color/image_raw, wanted the topic of another node'),
        ('a silent depth topic', '/driver/color/image_raw',
         {'depth_topic': '/driver/depth/image'},
         'no depth image on /driver/depth/image: its publisher has sent none within 0.5 s'),
    ):  # fmt: skip
        changes = {'device': device, **more}
        node.set_parameters([Parameter(key, value=value) for key, value in changes.items()])
        message = reason(ros, node).removeprefix(place)
        assert words in message
        documented('Images of other drivers', case, message)


def test_a_topic_of_another_type_is_named_with_it():
    there = [('/words', ['std_msgs/msg/String']), ('/a', ['sensor_msgs/msg/CompressedImage'])]
    source = TopicSource('words')
    source._node = SimpleNamespace(
        get_topic_names_and_types=lambda: there, count_publishers=lambda topic: 1
    )
    wanted = 'it is a topic of std_msgs/msg/String, wanted sensor_msgs/msg/Image'
    assert source._why('/words') == wanted
    wanted = 'it is a topic of sensor_msgs/msg/CompressedImage, wanted sensor_msgs/msg/Image'
    assert source._why('/a') == wanted


def test_depth_that_is_not_aligned_is_refused(ros):
    driver = Driver(ros, depth=True)
    driver.image = message_of(BANDS, 'rgb8')
    driver.depth = message_of(np.ones((8, 12), np.float32), '32FC1')
    message = reason(ros, camera(ros, depth_topic='/driver/depth/image', open_timeout=3.0))
    assert 'has 12 x 8 px, /driver/color/image_raw 24 x 16: a topic of depth aligned' in message
    documented('Images of other drivers', 'depth of another size', message)
