# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node recorder: records all topics of the robot into a session's directory.

Its threads step back behind the robot's. It subscribes with best effort and waits for nobody: what
it cannot keep up with is dropped and counted.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import psutil
import yaml
from rclpy.qos import DurabilityPolicy

from vla_common import topics
from vla_common.clock import steady_now
from vla_common.errors import ConfigError, first_line
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.node_main import run
from vla_common.polled_topic import PolledTopic
from vla_common.states import Level
from vla_common.topics import Topic
from vla_monitor.recording.background import keep_memory, step_back
from vla_monitor.recording.bag import BagTopic
from vla_monitor.recording.digest import SessionDigest
from vla_monitor.recording.fingerprints import fingerprints
from vla_monitor.recording.losses import LossCounter
from vla_monitor.recording.observer import Observer
from vla_monitor.recording.recording import IMAGE_TYPE, Recording
from vla_monitor.recording.schemas import schema_of
from vla_monitor.recording.settings import Received, Settings
from vla_policy.bundle.address import redacted
from vla_policy.bundle.resolve_bundle import is_address

POLL_PERIOD = 0.2
"""s. Each time costs the wake-ups of two threads and a look at each topic, a message next to
nothing; the middleware has the time of each reception."""
GRAPH_PERIOD = 1.0
MACHINE_PERIOD = 1.0
SETTLING = 10.0
"""s after which the node's thread steps back. Until then, while the robot's nodes load, it has the
priority of a node: a recorder that is ready after the robot misses the begin."""
WAITING, IMAGES_WAITING = 2000, 30
"""Messages of a topic that the middleware keeps until they are taken: 10 s at 200 Hz, and 1 s
of images. On a machine that is busy with the robot the node's thread waits for seconds."""


class Recorder(VlaLifecycleNode):
    """See README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('recorder', 'vla_monitor', **node_options)
        self._recording: Recording | None = None
        self._ended: Recording | None = None
        self._bag_topics: dict[str, BagTopic] = {}
        self._polled_topics: dict[str, PolledTopic] = {}
        self._latched: dict[str, deque[Received]] = {}
        self._publisher_counts: dict[str, int] = {}
        self._losses: dict[str, LossCounter] = {}
        self._not_recorded: dict[str, str] = {}

    def setup(self) -> None:
        p = self.params
        try:
            self._exclude = re.compile(p.exclude)
        except re.error as error:
            wanted = f'a regular expression ({error})'
            raise ConfigError('parameters of /recorder', 'exclude', p.exclude, wanted) from error
        directory = Path(p.directory).expanduser()
        if directory.exists() and not directory.is_dir():
            found = f'{directory}, a file'
            raise ConfigError('parameters of /recorder', 'directory', found, 'a folder')
        self._settings = Settings(
            directory=directory,
            compression=p.compression,
            images=p.images,
            split_size=round(1e6 * p.split_size),
            split_time=p.split_time,
            budget=round(1e9 * p.budget),
            min_free=round(1e9 * p.min_free),
            queue=round(1e6 * p.queue),
        )
        self._settled_at = steady_now() + SETTLING
        self.add_timer(GRAPH_PERIOD, self._look_for_topics)
        self.add_timer(POLL_PERIOD, self._poll)
        self.add_timer(MACHINE_PERIOD, self._look_at_machine)

    def start(self) -> None:
        p = self.params
        configuration = Path(p.configuration).expanduser() if p.configuration else None
        self._recording = Recording(
            self._settings, self._describe, configuration, self._observe, self.get_logger().info
        )
        for name, topic in self._bag_topics.items():
            self._recording.add_topic(topic)
            if not topic.latched:  # what came while the node was inactive
                self._polled_topics[name].discard()
        now_ns = self.get_clock().now().nanoseconds
        self._recording.put(
            message._replace(log_ns=now_ns) for kept in self._latched.values() for message in kept
        )
        self._look_for_topics()

    def stop(self) -> None:
        if self._recording is not None:
            self._poll()
            self._recording.end()
            self._ended, self._recording = self._recording, None

    def finish(self, elapsed: float) -> bool:
        if self._active:
            self.stop()
        return self._ended is None or self._ended.finished()

    def teardown(self) -> None:
        if self._ended is not None and not self._ended.finished(1.0):
            self.get_logger().warning('the session is still being written; see recover')
        for table in (self._bag_topics, self._polled_topics, self._latched, self._not_recorded):
            table.clear()

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        recording = self._recording
        if recording is None:
            return Level.SAFE, 'not active', {}
        dropped, lost = recording.counts.dropped.total(), recording.counts.lost.total()
        values = {
            'session': str(recording.folder or ''),
            'size_mb': f'{recording.size / 1e6:.1f}',
            'topics': str(len(self._polled_topics)),
            'dropped': str(dropped),
            'lost': str(lost),
            'not_recorded': '; '.join(f'{n}: {why}' for n, why in self._not_recorded.items()),
        }
        if recording.problem and recording.problem != 'not begun':
            return Level.WARNING, f'not recording: {recording.problem}', values
        return Level.SAFE, f'recording, {dropped + lost} messages dropped or lost', values

    # -- the session ---------------------------------------------------------------------------

    def _observe(self, start_ns: int, emit_event: Any, emit_step: Any) -> tuple[Observer, Any]:
        digest = SessionDigest(start_ns, emit_event)
        return Observer(digest, emit_step), digest.summary

    def _describe(self) -> dict[str, Any]:
        p = self.params
        return {
            'robot': p.robot,
            'policy': redacted(p.policy) if is_address(p.policy) else p.policy,
            'fingerprints': fingerprints(p.robot, p.policy),
            'parameters': {entry: getattr(p, entry) for entry in vars(p) if entry != 'policy'},
            'machine': {
                'host': platform.node(),
                'system': platform.platform(),
                'processor': platform.machine(),
                'cores': os.cpu_count(),
                'memory': psutil.virtual_memory().total,
                'python': platform.python_version(),
            },
            'clock': {'wall_minus_steady_ns': time.time_ns() - time.monotonic_ns()},
        }

    def _look_at_machine(self) -> None:
        if self._recording is None:
            return
        if steady_now() > self._settled_at:
            step_back()
        own = psutil.Process()
        memory = psutil.virtual_memory()
        self._recording.note(
            'machine',
            cpu_percent=psutil.cpu_percent(),
            load=os.getloadavg()[0],
            memory_percent=memory.percent,
            recorder_cpu_s=sum(own.cpu_times()[:2]),
            encoder_cpu_s=self._recording.encoder_cpu_s,
            recorder_mb=own.memory_info().rss / 1e6,
            clock_offset_ns=time.time_ns() - time.monotonic_ns(),
        )

    # -- topics --------------------------------------------------------------------------------

    def _look_for_topics(self) -> None:
        for name, types in self.get_topic_names_and_types():
            if name in self._polled_topics or name in self._not_recorded or '/_' in name:
                continue
            if self._exclude.fullmatch(name):
                continue
            publishers = self.get_publishers_info_by_topic(name)
            if not publishers:
                continue
            try:
                self._record(name, types, publishers)
            except (ConfigError, LookupError, ImportError, AttributeError, ValueError) as error:
                self._not_recorded[name] = first_line(error)
                self.get_logger().warning(f'{name} is not recorded: {first_line(error)}')
        for name in self._polled_topics:
            self._publisher_counts[name] = self.count_publishers(name)

    def _record(self, name: str, types: list[str], publishers: list[Any]) -> None:
        if len(types) > 1:
            raise ValueError(f'published as {" and ".join(sorted(types))}')
        latched = all(
            info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for info in publishers
        )
        known = topics.BY_NAME.get(name)
        reliable = known is not None and known.qos == 'EVENT'
        qos = 'LATCHED' if latched else 'EVENT' if reliable else 'STATE'
        topic = Topic(name, types[0], '', '', qos=qos)
        depth = IMAGES_WAITING if topic.type == IMAGE_TYPE else WAITING
        made = BagTopic(
            name,
            topic.type,
            schema_of(topic.type),
            _offered(publishers),
            _type_hash(publishers[0]),
            len(publishers) if latched else 0,
        )
        self._polled_topics[name] = self.poll(topic, (), always=True, depth=depth)
        self._bag_topics[name] = made
        self._losses[name], self._publisher_counts[name] = LossCounter(), len(publishers)
        if latched:
            self._latched[name] = deque(maxlen=len(publishers))
        assert self._recording is not None
        self._recording.add_topic(made)

    def _poll(self) -> None:
        recording = self._recording
        if recording is None:
            return
        messages: list[Received] = []
        for name, topic in self._polled_topics.items():
            losses = self._losses[name]
            for content, info in topic.raw():
                number = info['publication_sequence_number']
                recording.counts.lost[name] += losses.update(number, self._publisher_counts[name])
                at = info['received_timestamp'], info['source_timestamp']
                messages.append(Received(name, content, *at))
                if name in self._latched:
                    self._latched[name].append(messages[-1])
        # Of all topics, as they came: their order is part of the recording.
        messages.sort(key=lambda message: message.log_ns)
        recording.put(messages)


def _offered(publishers: list[Any]) -> str:
    """The offered QoS profiles, as rosbag2 (Jazzy) writes them."""

    def seconds(duration: Any) -> dict[str, int]:
        sec, nsec = divmod(duration.nanoseconds, 10**9)
        return {'sec': sec, 'nsec': nsec}

    profiles = [
        {
            'history': q.history.short_key,
            'depth': q.depth,
            'reliability': q.reliability.short_key,
            'durability': q.durability.short_key,
            'deadline': seconds(q.deadline),
            'lifespan': seconds(q.lifespan),
            'liveliness': q.liveliness.short_key,
            'liveliness_lease_duration': seconds(q.liveliness_lease_duration),
            'avoid_ros_namespace_conventions': q.avoid_ros_namespace_conventions,
        }
        for q in (info.qos_profile for info in publishers)
    ]
    return yaml.safe_dump(profiles, sort_keys=False)


def _type_hash(publisher: Any) -> str:
    """RIHS01_…; empty where discovery does not report it."""
    value = publisher.topic_type_hash
    if value is None or value.version != 1:
        return ''
    return f'RIHS01_{bytes(value.value).hex()}'


def main() -> None:
    keep_memory()
    sys.exit(run(Recorder, autostart=True))
