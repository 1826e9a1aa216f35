# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A rosbag2 bag of several MCAP files, each complete in itself.

An open file is called `NAME_N.mcap.active`; it is renamed when it is finished. Each file begins
with the latched messages that are in force, so that it can be used alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vla_deploy.atomic_io import write_whole
from vla_monitor.recording.mcap_file import CHUNK_BYTES, Contents, McapFile
from vla_monitor.recording.mcap_read import Message

ACTIVE = '.active'
METADATA = 'metadata.yaml'
_QOS, _HASH = 'offered_qos_profiles', 'topic_type_hash'


@dataclass(frozen=True)
class BagTopic:
    """A topic as it is recorded.

    Args:
        name, type: 'sensor_msgs/msg/JointState' of '/joint_states'.
        schema: see `schemas.schema_of`.
        qos: offered QoS profiles, YAML as rosbag2 writes it; may be empty.
        type_hash: 'RIHS01_…'; may be empty.
        latched: number of messages that hold until replaced, one per publisher; 0: none does.
    """

    name: str
    type: str
    schema: str
    qos: str = ''
    type_hash: str = ''
    latched: int = 0


@dataclass(frozen=True)
class BagFile:
    """A finished file of a bag. Times in ns since 1970; messages by topic."""

    path: Path
    start_ns: int
    end_ns: int
    counts: Mapping[str, int]
    size: int


@dataclass
class _State:
    """A topic of the bag: messages so far, and those in force if it is latched."""

    topic: BagTopic
    sequence: int = 0
    latched: list[Message] = field(default_factory=list)


class BagWriter:
    """Writes a bag into a directory. Every method that writes raises OSError.

    A message's `sequence` counts the messages of its topic from 1. A latched message that a later
    file repeats keeps its sequence and the time of publication.

    Args:
        directory: exists.
        compression: 'none', 'lz4' or 'zstd'.
        largest: bytes of a file after which the next one is begun.
        longest: s of a file after which the next one is begun.
    """

    def __init__(self, directory: Path, compression: str, largest: int, longest: float) -> None:
        self._directory, self._compression = directory, compression
        self._largest, self._longest = largest, round(longest * 1e9)
        self._topics: dict[str, _State] = {}
        self._channels: dict[str, int] = {}
        self._file: McapFile | None = None
        self._number = 0
        self._begun_ns = self._repeated = 0
        self.files: list[BagFile] = []
        self.lost = 0
        """Messages that were added and had no room in the file."""

    @property
    def topics(self) -> tuple[BagTopic, ...]:
        return tuple(state.topic for state in self._topics.values())

    @property
    def size(self) -> int:
        """Bytes of the files, the open one included."""
        return sum(file.size for file in self.files) + (self._file.size if self._file else 0)

    def add_topic(self, topic: BagTopic) -> None:
        """Record a topic from now on; one that is known already stays as it is."""
        self._topics.setdefault(topic.name, _State(topic))
        if self._file is not None:
            self._channel(topic.name)

    def write(self, name: str, content: bytes, log_ns: int, publish_ns: int) -> None:
        """Add a message of a known topic; a chunk that is full is written."""
        state, file = self._topics[name], self._file or self._current(log_ns)
        state.sequence += 1
        channel = self._channels.get(name) or self._channel(name)
        if state.topic.latched:
            kept = Message(0, state.sequence, log_ns, publish_ns, content)
            state.latched = [*state.latched, kept][-state.topic.latched :]
        if file.pending + len(content) > CHUNK_BYTES and file.pending:
            file.flush()
        file.add(Message(channel, state.sequence, log_ns, publish_ns, content))

    def flush(self, sync: bool = False) -> None:
        """Write the open chunk; end a file that is large or long enough."""
        file = self._file
        if file is None:
            return
        file.flush(sync)
        ends_ns = file.contents.end_ns
        if file.size >= self._largest or ends_ns - self._begun_ns >= self._longest:
            self.finish()

    def finish(self) -> None:
        """Finish the open file, if there is one; the next message begins another.

        Where there is no room, without its open chunk. A file that cannot be finished stays
        ACTIVE, for `recover`.
        """
        file, self._file = self._file, None
        if file is None:
            return
        try:
            try:
                file.finish()
            except OSError:
                self._discard(file)
                file.finish()
        except OSError:
            file.abandon()
            raise
        finished = file.path.with_name(file.path.name.removesuffix(ACTIVE))
        os.replace(file.path, finished)
        self.files.append(bag_file(finished, file.contents))
        write_metadata(self._directory, self.files, self.topics)

    def discard(self) -> None:
        """Drop the messages that are not in the file yet: there is no room for them."""
        if self._file is not None:
            self._discard(self._file)

    def _discard(self, file: McapFile) -> None:
        self.lost += file.discard()
        if not file.contents.messages:  # the repeated ones are in an earlier file
            self.lost -= self._repeated

    def remove(self, file: BagFile) -> None:
        """Remove a finished file, to make room."""
        file.path.unlink(missing_ok=True)
        self.files.remove(file)
        write_metadata(self._directory, self.files, self.topics)

    def _current(self, now_ns: int) -> McapFile:
        if self._file is None:
            name = f'{self._directory.name}_{self._number}.mcap{ACTIVE}'
            self._file = McapFile.create(self._directory / name, self._compression)
            self._number += 1
            self._begun_ns = now_ns
            self._channels = {}
            self._repeated = sum(len(state.latched) for state in self._topics.values())
            for topic, state in self._topics.items():
                channel = self._channel(topic)
                for kept in state.latched:
                    self._file.add(
                        Message(channel, kept.sequence, now_ns, kept.publish_ns, kept.content)
                    )
        return self._file

    def _channel(self, name: str) -> int:
        if name not in self._channels:
            assert self._file is not None
            topic = self._topics[name].topic
            metadata = {_QOS: topic.qos, _HASH: topic.type_hash}
            channel = self._file.add_channel(name, topic.type, topic.schema, metadata)
            self._channels[name] = channel
        return self._channels[name]


def bag_file(path: Path, contents: Contents) -> BagFile:
    """A finished file, from what it holds."""
    counts = {
        channel.topic: contents.counts.get(number, 0)
        for number, channel in contents.channels.items()
    }
    size = path.stat().st_size
    return BagFile(path, contents.start_ns, contents.end_ns, counts, size)


def topics_of(contents: Contents) -> list[BagTopic]:
    """The topics that are registered in a file."""
    return [
        BagTopic(
            channel.topic,
            contents.schemas[channel.schema_id].name,
            contents.schemas[channel.schema_id].data.decode(),
            channel.metadata.get(_QOS, ''),
            channel.metadata.get(_HASH, ''),
        )
        for channel in contents.channels.values()
    ]


def write_metadata(directory: Path, files: Iterable[BagFile], topics: Iterable[BagTopic]) -> None:
    """Write rosbag2's metadata.yaml (version 9, Jazzy). Raises OSError."""
    files = list(files)
    begins = [file.start_ns for file in files if file.start_ns]
    start = min(begins, default=0)
    end = max((file.end_ns for file in files), default=0)

    def described(topic: BagTopic) -> dict[str, Any]:
        return {
            'topic_metadata': {
                'name': topic.name,
                'type': topic.type,
                'serialization_format': 'cdr',
                'offered_qos_profiles': yaml.safe_load(topic.qos) or [],
                'type_description_hash': topic.type_hash,
            },
            'message_count': sum(file.counts.get(topic.name, 0) for file in files),
        }

    content = {
        'rosbag2_bagfile_information': {
            'version': 9,
            'storage_identifier': 'mcap',
            'duration': {'nanoseconds': end - start},
            'starting_time': {'nanoseconds_since_epoch': start},
            'message_count': sum(sum(file.counts.values()) for file in files),
            'topics_with_message_count': [described(topic) for topic in topics],
            'compression_format': '',
            'compression_mode': '',
            'relative_file_paths': [file.path.name for file in files],
            'files': [
                {
                    'path': file.path.name,
                    'starting_time': {'nanoseconds_since_epoch': file.start_ns},
                    'duration': {'nanoseconds': file.end_ns - file.start_ns},
                    'message_count': sum(file.counts.values()),
                }
                for file in files
            ],
            'custom_data': None,
            'ros_distro': 'jazzy',
        }
    }
    write_whole(directory / METADATA, yaml.safe_dump(content, sort_keys=False))
