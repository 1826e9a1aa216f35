# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A session's streams, read from its bag; the images from its videos where the bag has none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message

from vla_common import topics
from vla_common.cdr import Reader
from vla_common.errors import ConfigError, first_line
from vla_common.image_cdr import read_image
from vla_models.dataset.images import VideoFrames
from vla_monitor.export.streams import (
    FilterSamples,
    ImageStream,
    JointSamples,
    RecordedChunk,
    Streams,
    in_order,
)
from vla_monitor.recording import session
from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.digest import SessionDigest
from vla_monitor.recording.json_lines import read_lines
from vla_monitor.recording.video import is_color, pixels

NEEDED = (
    topics.JOINT_STATES,
    topics.JOINT_COMMAND,
    topics.SAFETY_STATUS,
    topics.ACTION_CHUNK,
    topics.INFERENCE_STATUS,
)
COLOR = re.compile(r'/camera/(?:([a-z][a-z0-9_]*)/)?color/image_raw')
NAMELESS = 'head'
"""The camera without a name, as robots and policies call it."""
FILTER_FIELDS = (
    *('header.stamp', 'state', 'chunk_stamp', 'playback_time', 'playback_rate'),
    *('interventions', 'interpolation'),
)


class BagImages:
    """Images of a topic in a bag; see `ImageStream`."""

    def __init__(
        self, folder: Path, topic: str, rows: list[tuple[int, int, int]], size: tuple[int, int]
    ) -> None:
        """rows: place among the topic's messages, log_ns, stamp_ns of each image."""
        self._folder, self._topic = folder, topic
        columns = np.array(rows, np.int64).T
        # Where the clock was set back no episode is made: the order is that of the file elsewhere.
        order, self.jumps = in_order(columns[1])
        self._place, self.log_ns, self.stamp_ns = columns[:, order]
        self.height, self.width = size

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray | None]:
        messages = enumerate(BagReader(self._folder).messages({self._topic}))
        place, image = -1, None
        for number in numbers:
            wanted = int(self._place[number])
            if wanted > place:
                content = next((m.content for i, m in messages if i == wanted), None)
                place, image = wanted, None if content is None else rgb(content)
            yield image


class VideoImages:
    """Images of a recorded video; see `ImageStream`."""

    def __init__(self, path: Path, lines: list[dict[str, Any]]) -> None:
        self._path = path
        order, self.jumps = in_order(np.array([line['log_ns'] for line in lines], np.int64))
        kept = [lines[i] for i in order]
        self._frames = [int(line['frame']) for line in kept]
        self.log_ns = np.array([line['log_ns'] for line in kept], np.int64)
        self.stamp_ns = np.array([line['stamp_ns'] for line in kept], np.int64)
        first = VideoFrames().read(path, self._frames[0]) if kept else None
        self.height, self.width = (0, 0) if first is None else first.shape[:2]

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray | None]:
        video, last, image = VideoFrames(), -1, None
        for number in numbers:
            if self._frames[number] != last:
                last = self._frames[number]
                image = video.read(self._path, last)
            yield image


def rgb(serialized: bytes) -> np.ndarray | None:
    """The pixels (h, w, 3) of a serialized color image; None for another."""
    try:
        return np.ascontiguousarray(pixels(serialized)[1][..., ::-1])
    except ValueError:
        return None


class _Collected:
    """What the messages say, in their order."""

    def __init__(self) -> None:
        joint = topics.JOINT_STATES.message_type()
        self._joints = {
            t.name: Reader(joint, 'header.stamp', 'name', 'position')
            for t in (topics.JOINT_STATES, topics.JOINT_COMMAND)
        }
        self._status = Reader(topics.SAFETY_STATUS.message_type(), *FILTER_FIELDS)
        self.joints: dict[str, list[tuple[int, int, np.ndarray]]] = defaultdict(list)
        self.names: dict[str, tuple[str, ...]] = {}
        self.reports: list[tuple] = []
        self.interpolation = ''
        self.chunks: dict[int, RecordedChunk] = {}
        self.events: list[dict[str, Any]] = []
        self.statuses = 0
        self.digest: SessionDigest | None = None
        self.images: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self.sizes: dict[str, tuple[int, int]] = {}
        self._images_seen: dict[str, int] = defaultdict(int)
        self.dropped: dict[str, int] = defaultdict(int)
        self.read: dict[str, Callable[[int, bytes], None]] = {
            topics.SAFETY_STATUS.name: self._filter,
            topics.ACTION_CHUNK.name: self._chunk,
            topics.INFERENCE_STATUS.name: self._inference,
        }

    def joint_message(self, topic: str, log_ns: int, content: bytes) -> None:
        stamp_ns, names, position = self._joints[topic].read(content)
        known = self.names.setdefault(topic, tuple(names))
        if known != tuple(names) or not np.isfinite(position).all():
            self.dropped[topic] += 1
            return
        self.joints[topic].append((log_ns, stamp_ns, np.array(position)))

    def image(self, topic: str, log_ns: int, content: bytes) -> None:
        self._images_seen[topic] += 1
        image = read_image(content)
        self.sizes.setdefault(topic, (image.height, image.width))
        self.images[topic].append((self._images_seen[topic] - 1, log_ns, image.stamp_ns))

    def _filter(self, log_ns: int, content: bytes) -> None:
        *numbers, self.interpolation = self._status.read(content)
        self.reports.append((log_ns, *numbers))

    def _chunk(self, _log_ns: int, content: bytes) -> None:
        message = deserialize_message(content, topics.ACTION_CHUNK.message_type())
        points = message.points
        times = np.array([p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in points])
        velocities = None
        if all(len(p.velocities) for p in points):
            velocities = np.array([p.velocities for p in points])
        stamp = message.header.stamp
        self.chunks[stamp.sec * 10**9 + stamp.nanosec] = RecordedChunk(
            tuple(message.joint_names), times, np.array([p.positions for p in points]), velocities
        )

    def _inference(self, log_ns: int, content: bytes) -> None:
        status = deserialize_message(content, topics.INFERENCE_STATUS.message_type())
        self.statuses += 1
        assert self.digest is not None
        self.digest.inference(log_ns, status)

    def joint_samples(self, topic: str, jumps: list[tuple[int, int]]) -> JointSamples:
        rows = self.joints[topic]
        order, found = in_order(np.array([row[0] for row in rows], np.int64))
        jumps += found
        names = self.names.get(topic, ())
        values = np.array([rows[i][2] for i in order]).reshape(len(rows), len(names))
        log, stamp = (np.array([rows[i][k] for i in order], np.int64) for k in (0, 1))
        return JointSamples(names, log, stamp, values)

    def filter_samples(self, jumps: list[tuple[int, int]]) -> FilterSamples:
        order, found = in_order(np.array([row[0] for row in self.reports], np.int64))
        jumps += found
        kinds = (np.int64, np.int64, np.int64, np.int64, float, float, np.int64)
        columns = [
            np.array([self.reports[i][k] for i in order], kind) for k, kind in enumerate(kinds)
        ]
        return FilterSamples(*columns, self.interpolation)


def load_streams(folder: Path, cameras: Sequence[str] = ()) -> Streams:
    """Read a session. What could not be read is in `problems`.

    cameras: names; empty for all. Raises ConfigError: no session, a newer version, or nothing in
    it that could be an episode.
    """
    description = session.check_session(folder)
    reader = BagReader(folder)
    start_ns = int(description.get('start_ns') or 0)
    made = _Collected()
    errors: dict[str, str] = {}
    for message in reader.messages(_Wanted()):
        start_ns = start_ns or message.log_ns
        if made.digest is None:
            made.digest = SessionDigest(start_ns, made.events.append)
        try:
            if message.topic in made.read:
                made.read[message.topic](message.log_ns, message.content)
            elif COLOR.fullmatch(message.topic):
                made.image(message.topic, message.log_ns, message.content)
            else:
                made.joint_message(message.topic, message.log_ns, message.content)
        except Exception as error:  # of one message; the others may be whole
            errors.setdefault(message.topic, first_line(error))
    problems = [f'{name}: {why}' for name, why in {**reader.unreadable, **errors}.items()]
    problems += [f'{name}: {n} messages left out' for name, n in made.dropped.items()]
    if reader.damaged:
        problems.append(f'{reader.damaged} chunks of the bag are damaged and left out')
    _check(folder, made, {**reader.unreadable, **errors})
    jumps: list[tuple[int, int]] = []
    state = made.joint_samples(topics.JOINT_STATES.name, jumps)
    command = made.joint_samples(topics.JOINT_COMMAND.name, jumps)
    status = made.filter_samples(jumps)
    streams = _cameras(folder, made, cameras, problems)
    for stream in streams.values():
        jumps += stream.jumps  # type: ignore[attr-defined]
    robot = description.get('fingerprints', {}).get('robot', {}).get('name')
    robot = robot or description.get('robot') or 'unknown'
    return Streams(
        start_ns, robot, folder.name, state, command, status, made.chunks, made.events,
        streams, jumps, problems,
    )  # fmt: skip


class _Wanted:
    """The topics that are read."""

    NAMES = frozenset(topic.name for topic in NEEDED)

    def __contains__(self, topic: object) -> bool:
        return topic in self.NAMES or COLOR.fullmatch(str(topic)) is not None


def _check(folder: Path, made: _Collected, errors: dict[str, str]) -> None:
    """Raises ConfigError: a stream is missing."""
    present = {name for name, rows in made.joints.items() if rows}
    present |= {topics.SAFETY_STATUS.name} if made.reports else set()
    present |= {topics.ACTION_CHUNK.name} if made.chunks else set()
    present |= {topics.INFERENCE_STATUS.name} if made.statuses else set()
    if not any(event['event'] == 'instruction' for event in made.events):
        why = errors.get(topics.INFERENCE_STATUS.name, '')
        found = why or 'no instruction'
        wanted = 'a session in which an instruction was given'
        raise ConfigError(folder, topics.INFERENCE_STATUS.name if why else '', found, wanted)
    for topic in NEEDED:
        if topic.name not in present:
            found = errors.get(topic.name, 'no messages')
            raise ConfigError(folder, topic.name, found, 'a recording of this topic')


def _cameras(
    folder: Path, made: _Collected, wanted: Sequence[str], problems: list[str]
) -> dict[str, ImageStream]:
    """The cameras by name. Raises ConfigError: none, or not all of `wanted`."""
    found: dict[str, ImageStream] = {}
    for topic, rows in made.images.items():
        name = name_of(topic)
        first = next(BagReader(folder).messages({topic}), None)
        if first is not None and is_color(first.content):
            found[name] = BagImages(folder, topic, rows, made.sizes[topic])
    for path in sorted((folder / session.VIDEOS).glob('*.jsonl')):
        match = re.fullmatch(r'camera_(?:([a-z][a-z0-9_]*)_)?color_image_raw', path.stem)
        if match is None or (name := match[1] or NAMELESS) in found:
            continue
        lines, torn = read_lines(path)
        if torn:
            problems.append(f'{path.name}: {torn} lines are torn')
        stream = VideoImages(path.with_suffix('.mkv'), lines)
        if stream.height:
            found[name] = stream
        else:
            problems.append(f'{path.stem}.mkv: no image can be read')
    missing = [name for name in wanted if name not in found]
    if missing or not found:
        shown = ', '.join(sorted(found)) or 'no color images (recorder.images: none?)'
        target = ', '.join(wanted) or 'images of a camera in the bag or in video/'
        raise ConfigError(folder, 'cameras', shown, target)
    names = wanted or sorted(found)
    return {name: found[name] for name in names}


def name_of(topic: str) -> str:
    """Name of the camera of a color topic."""
    match = COLOR.fullmatch(topic)
    return (match[1] if match else '') or NAMELESS
