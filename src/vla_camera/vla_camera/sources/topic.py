# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images of another ROS driver, raw or compressed, in any usual encoding.

The grabbing thread takes the messages itself: during configure the executor does not run.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from vla_camera import foreign_images
from vla_camera.clock_offset import ClockOffset
from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
)
from vla_common import topics
from vla_common.cameras import camera_topic
from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.image_cdr import read_compressed_image, read_image
from vla_common.topics import Topic

RAW, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
PAUSE = 0.003  # s between two looks for messages
DEPTHS_KEPT = 4
WAIT_FOR_DEPTH = 0.05  # s that a color image waits for its depth
SAME_INSTANT_NS = 20_000_000  # between the stamps of a color image and its depth
CLOCK_AHEAD_NS = 5_000_000  # by less, clocks that are synchronised may differ
INFO_FIELDS = ('width', 'height', 'k', 'd', 'distortion_model')


class TopicSource(Source):
    """topic, depth_topic: of color and of aligned depth ('' for none), compressed by their names:
    …/compressed, …/compressedDepth. own: color topic of this camera. open_timeout: s. rate: Hz that
    the driver is expected to have, 0 for unknown.

    camera_info is read beside the color image, as image_transport has it.
    """

    reopen_silent = False  # another node's silence: nothing to open again
    slow_remedy = 'the rate and exposure in its driver, or the network between the machines'

    def __init__(
        self,
        topic: str,
        depth_topic: str = '',
        own: str = topics.COLOR_IMAGE.name,
        open_timeout: float = 10.0,
        now: Callable[[], float] = steady_now,
        rate: float = 0.0,
    ) -> None:
        self._rate = rate
        self._topic, self._depth_topic, self._own = _absolute(topic), _absolute(depth_topic), own
        self._timeout = open_timeout
        self._now = now
        self._node: Any = None
        self._color_in: Any = None
        self._depth_in: Any = None
        self._info_in: Any = None
        self._waiting: tuple[np.ndarray, int, float] | None = None  # color, its stamp, since
        self._depths: deque[tuple[int, bytes]] = deque(maxlen=DEPTHS_KEPT)
        self._calibration = Calibration()
        self._clock = ClockOffset()
        self.without_depth = 0
        self.unstamped = 0

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        own = camera_topic(topics.COLOR_IMAGE, params.name).name
        depth = params.depth_topic if params.depth else ''
        return cls(params.device, depth, own, cls.opening_time(params), rate=params.rate)

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'device', 'a topic of images, raw or …/compressed, that another node publishes'

    def connect(self, node: Any) -> None:
        if not self._topic or self._topic == self._own:
            wanted = 'the topic of another node: …/image_raw or …/image_raw/compressed'
            raise ConfigError('parameters', 'device', self._topic or 'nothing', wanted)
        self._node = node
        self._color_in = node.poll(_topic(self._topic), (), always=True)
        if self._depth_topic:
            depth = _topic(self._depth_topic)
            self._depth_in = node.poll(depth, (), always=True, depth=DEPTHS_KEPT)
        info = Topic(_info_topic(self._topic), 'sensor_msgs/msg/CameraInfo', '', '')
        self._info_in = node.poll(info, INFO_FIELDS, always=True)

    def open(self) -> CameraFacts:
        deadline = self._now() + self._timeout
        if several := self.warning:
            raise DeviceMissingError(several)
        color = self._await(self._newest_color, deadline)
        if color is None:
            raise DeviceMissingError(f'no image on {self._topic}: {self._why(self._topic)}')
        height, width = color[0].shape[:2]
        if self._depth_in is not None:
            self._check_depth(height, width, deadline)
        # Drivers publish it with each image; one that does not is not calibrated.
        info = self._await(self._info_in.newest, min(deadline, self._now() + 1.0))
        self._calibration = _calibration(info, width, height)
        self._waiting = None
        return CameraFacts(
            f'topic {self._topic}',
            width,
            height,
            self._rate,
            self._calibration,
            bool(self._depth_topic),
        )

    def grab(self, timeout: float) -> Frame | None:
        deadline = self._now() + timeout
        return self._await(self._next_frame, deadline)

    def discard(self) -> None:
        for polled in (self._color_in, self._depth_in):
            if polled is not None:
                polled.discard()
        self._depths.clear()
        self._waiting = None

    def notes(self) -> dict[str, str]:
        return {
            'topic': self._topic,
            'publishers': str(self._node.count_publishers(self._topic) if self._node else 0),
            'smallest_delay_ms': self._smallest_delay(),
            'without_depth': str(self.without_depth),
            'without_stamp': str(self.unstamped),
        }

    def _smallest_delay(self) -> str:
        """Of the last 30 s, from the driver's stamp to the arrival: below 0 its clock is ahead."""
        offset_ns = self._clock.offset_ns
        return 'unknown' if offset_ns is None else f'{1e-6 * offset_ns:.1f}'

    @property
    def warning(self) -> str:
        count = self._node.count_publishers(self._topic) if self._node else 0
        if count > 1:
            return f'{self._topic} has {count} publishers: images of two cameras would be mixed'
        offset_ns = self._clock.offset_ns or 0
        if offset_ns < -CLOCK_AHEAD_NS:
            return (
                f'the clock of the driver of {self._topic} is at least {-1e-6 * offset_ns:.0f} ms '
                'ahead of this one: synchronise them (chrony)'
            )
        return ''

    @property
    def waiting_for(self) -> str:
        if self._node is None or self._node.count_publishers(self._topic):
            return ''
        return f'{self._topic} has no publisher: is its driver running?'

    def close(self) -> None:
        self._waiting = None

    def _await(self, take: Callable[[], Any], deadline: float) -> Any:
        """What `take` returns first that is not None; None after the deadline."""
        while (found := take()) is None and self._now() < deadline:
            time.sleep(PAUSE)
        return found

    def _newest_color(self) -> tuple[np.ndarray, int] | None:
        """The newest color image since the last call and its stamp (ns)."""
        taken = list(self._color_in.raw())
        if not taken:
            return None
        serialized, times = taken[-1]
        try:
            if _is_compressed(self._topic):
                image = read_compressed_image(serialized)
                color = foreign_images.decoded_color(image)
            else:
                image = read_image(serialized)
                color = foreign_images.color_of(image)
        except ValueError as error:
            raise DeviceLostError(f'{self._topic}: {error}') from error
        stamp_ns = image.stamp_ns
        if stamp_ns == 0:  # a driver that does not stamp: the time of arrival
            self.unstamped += 1
            stamp_ns = times['received_timestamp']
        self._clock.age(stamp_ns, times['received_timestamp'])
        return color, stamp_ns

    def _next_frame(self) -> Frame | None:
        """A color image; with its depth once that is there, or has not come in time."""
        found = self._newest_color()
        if found is not None:
            self._waiting = (*found, self._now())
        if self._waiting is None:
            return None
        color, stamp_ns, since = self._waiting
        if self._depth_in is None:
            self._waiting = None
            return Frame(color, None, stamp_ns)
        self._take_depths()
        nearest = min(self._depths, key=lambda d: abs(d[0] - stamp_ns), default=None)
        newest_ns = max((stamp for stamp, _ in self._depths), default=-1)
        if newest_ns < stamp_ns and self._now() - since < WAIT_FOR_DEPTH:
            return None
        self._waiting = None
        if nearest is None or abs(nearest[0] - stamp_ns) > SAME_INSTANT_NS:
            self.without_depth += 1
            return Frame(color, None, stamp_ns)
        depth = self._read_depth(nearest[1])
        if depth.shape != color.shape[:2]:
            raise DeviceLostError(self._not_aligned(depth.shape, color.shape))
        return Frame(color, depth, stamp_ns)

    def _take_depths(self) -> bool | None:
        for serialized, times in self._depth_in.raw():
            read = read_compressed_image if _is_compressed(self._depth_topic) else read_image
            stamp_ns = read(serialized).stamp_ns or times['received_timestamp']
            self._depths.append((stamp_ns, serialized))
        return True if self._depths else None

    def _read_depth(self, serialized: bytes) -> np.ndarray:
        try:
            if _is_compressed(self._depth_topic):
                return foreign_images.decoded_depth(read_compressed_image(serialized))
            return foreign_images.depth_of(read_image(serialized))
        except ValueError as error:
            raise DeviceLostError(f'{self._depth_topic}: {error}') from error

    def _check_depth(self, height: int, width: int, deadline: float) -> None:
        if self._await(self._take_depths, deadline) is None:
            why = self._why(self._depth_topic)
            raise DeviceMissingError(f'no depth image on {self._depth_topic}: {why}')
        depth = self._read_depth(self._depths[-1][1])
        if depth.shape != (height, width):
            raise DeviceMissingError(self._not_aligned(depth.shape, (height, width)))

    def _not_aligned(self, depth: tuple[int, ...], color: tuple[int, ...]) -> str:
        return (
            f'{self._depth_topic} has {depth[1]} x {depth[0]} px, {self._topic} '
            f'{color[1]} x {color[0]}: a topic of depth aligned to color is needed'
        )

    def _why(self, topic: str) -> str:
        """Why a topic has no image, with the topics of images that exist."""
        wanted = COMPRESSED if _is_compressed(topic) else RAW
        there = dict(self._node.get_topic_names_and_types())
        listed = sorted(n for n, types in there.items() if {RAW, COMPRESSED} & set(types))
        others = [t for t in there.get(topic, []) if t != wanted]
        if others:
            return f'it is a topic of {", ".join(others)}, wanted {wanted}'
        if self._node.count_publishers(topic):
            return f'its publisher has sent none within {self._timeout:g} s'
        mine = {topic, self._own}
        known = ', '.join(n for n in listed if n not in mine) or 'none'
        return f'it has no publisher; topics of images: {known}'


def _absolute(topic: str) -> str:
    return f'/{topic.lstrip("/")}' if topic else ''


def _is_compressed(topic: str) -> bool:
    return topic.rpartition('/')[2] in ('compressed', 'compressedDepth')


def _topic(name: str) -> Topic:
    return Topic(name, COMPRESSED if _is_compressed(name) else RAW, '', '', qos='IMAGE')


def _info_topic(topic: str) -> str:
    """camera_info beside an image, as image_transport derives it."""
    image = topic.rpartition('/')[0] if _is_compressed(topic) else topic
    return f'{image.rpartition("/")[0]}/camera_info'


def _calibration(info: list[Any] | None, width: int, height: int) -> Calibration:
    """Of a camera_info for images of this size with a focal length, else none."""
    if info is None or (info[0], info[1]) != (width, height):
        return Calibration()
    k, d, model = info[2:]
    if not (np.isfinite(k).all() and np.isfinite(d).all() and k[0] > 0.0 and k[4] > 0.0):
        return Calibration()
    return Calibration(*(float(k[i]) for i in (0, 4, 2, 5)), model, tuple(map(float, d)))
