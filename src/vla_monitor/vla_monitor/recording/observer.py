# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Serialized messages to the digest and the steps; used by the recorder and by `recover`.

Messages at control rates are read in place (`vla_common.cdr`); a message is deserialized where it
has more news than numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message

from vla_common import topics
from vla_common.cdr import Reader
from vla_common.errors import first_line
from vla_common.states import FilterState, Level, Mode
from vla_common.topics import Topic
from vla_monitor.recording.digest import SessionDigest
from vla_monitor.recording.steps import Chunk, Joints, StepRecorder

_QUIET_MODES = (Mode.READY, Mode.RUNNING)


class Observer:
    """Reads the messages of the workspace's own topics.

    Args:
        digest: see `SessionDigest`.
        emit_step: receives each step.
    """

    def __init__(self, digest: SessionDigest, emit_step: Callable[[dict[str, Any]], None]) -> None:
        def emit(step: dict[str, Any]) -> None:
            digest.step()
            emit_step(step)

        self._digest = digest
        self.steps = StepRecorder(digest.seconds, emit)
        self.errors: dict[str, str] = {}
        """The first error by topic: a message that cannot be read does not end the recording."""
        self._newest: dict[str, bytes] = {}
        self._read: dict[str, Callable[[int, bytes], None]] = {
            topics.SUPERVISOR_STATE.name: self._supervisor(),
            topics.SAFETY_STATUS.name: self._filter(),
            topics.INFERENCE_STATUS.name: self._whole(topics.INFERENCE_STATUS, self._inference),
            topics.CHUNK_REPORT.name: self._whole(topics.CHUNK_REPORT, self._chunk_report),
            topics.ACTION_CHUNK.name: self._whole(topics.ACTION_CHUNK, self._chunk),
            topics.BALANCE_STATE.name: self._balance(),
            topics.HARDWARE_STATUS.name: self._driver(),
        }
        for topic in (topics.JOINT_STATES, topics.JOINT_COMMAND):
            self._read[topic.name] = self._keep(topic.name)
        self._joint_readers = {
            topic.name: Reader(topic.message_type(), 'name', 'position')
            for topic in (topics.JOINT_STATES, topics.JOINT_COMMAND)
        }

    def observe(self, topic: str, content: bytes, now_ns: int) -> None:
        """A message, received at `now_ns` (ns since 1970)."""
        self._digest.received(now_ns)
        read = self._read.get(topic)
        if read is None:
            return
        try:
            read(now_ns, content)
        except Exception as error:
            self.errors.setdefault(topic, first_line(error))

    def close(self) -> None:
        """Report what is still open."""
        self.steps.close()
        self._digest.close()

    # -- readers -------------------------------------------------------------------------------

    @staticmethod
    def _whole(topic: Topic, use: Callable[[int, Any], None]) -> Callable[[int, bytes], None]:
        kind = topic.message_type()
        return lambda now_ns, content: use(now_ns, deserialize_message(content, kind))

    def _keep(self, name: str) -> Callable[[int, bytes], None]:
        def keep(_now_ns: int, content: bytes) -> None:
            self._newest[name] = content

        return keep

    def _supervisor(self) -> Callable[[int, bytes], None]:
        kind = topics.SUPERVISOR_STATE.message_type()
        reader = Reader(kind, 'mode', 'level', 'speed_scale')
        last = -1

        def read(now_ns: int, content: bytes) -> None:
            nonlocal last
            in_full = reader.read_in_full
            mode, level, scale = reader.read(content)
            # A cause that clears changes a flag only: numbers are not compared.
            new = reader.read_in_full != in_full or level != Level.SAFE or mode != last
            details = None
            if new or mode not in _QUIET_MODES:
                details = deserialize_message(content, kind)
            last = mode
            self._digest.supervisor(now_ns, mode, level, scale, details)

        return read

    def _filter(self) -> Callable[[int, bytes], None]:
        kind = topics.SAFETY_STATUS.message_type()
        stamp = 'chunk_stamp'
        reader = Reader(
            kind, 'state', 'level', 'tick_ms', 'chunk_age', 'interventions', stamp, 'playback_time',
            'speed_scale', 'interpolation',
        )  # fmt: skip
        before = 0

        def read(now_ns: int, content: bytes) -> None:
            nonlocal before
            in_full = reader.read_in_full
            state, level, tick, age, interventions, chunk, playback, scale, curve = reader.read(
                content
            )
            details = None
            if reader.read_in_full != in_full or level != Level.SAFE or interventions != before:
                details = deserialize_message(content, kind)
            before = interventions
            self._digest.filter(now_ns, state, tick, age, interventions, details)
            if chunk and state == FilterState.TRACKING and self.steps.tracks(chunk):
                facts = {
                    'speed_scale': scale,
                    'interventions': interventions,
                    'latencies_ms': {'filter_tick': tick},
                }
                self.steps.track(
                    now_ns, chunk, playback, curve, self._joints(topics.JOINT_COMMAND),
                    self._joints(topics.JOINT_STATES), facts,
                )  # fmt: skip

        return read

    def _balance(self) -> Callable[[int, bytes], None]:
        kind = topics.BALANCE_STATE.message_type()
        reader = Reader(kind, 'level', 'margin', 'falling', 'fallen')

        def read(now_ns: int, content: bytes) -> None:
            level, margin, falling, fallen = reader.read(content)
            details = deserialize_message(content, kind) if level != Level.SAFE else None
            self._digest.balance(now_ns, level, margin, falling, fallen, details)

        return read

    def _driver(self) -> Callable[[int, bytes], None]:
        kind = topics.HARDWARE_STATUS.message_type()
        reader = Reader(kind, 'behaviour', 'fault', 'loop_ms')

        def read(now_ns: int, content: bytes) -> None:
            in_full = reader.read_in_full
            behaviour, fault, loop = reader.read(content)
            news = reader.read_in_full != in_full
            details = deserialize_message(content, kind) if news else None
            self._digest.driver(now_ns, behaviour, fault, loop, details)

        return read

    def _inference(self, now_ns: int, status: Any) -> None:
        self.steps.instruction = status.instruction
        self._digest.inference(now_ns, status)

    def _chunk(self, now_ns: int, message: Any) -> None:
        points = message.points
        times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in points]
        stamp = message.header.stamp
        self.steps.chunk(
            Chunk(
                stamp.sec * 10**9 + stamp.nanosec,
                now_ns,
                tuple(message.joint_names),
                np.array(times),
                np.array([p.positions for p in points], float),
            )
        )

    def _chunk_report(self, now_ns: int, report: Any) -> None:
        self._digest.chunk(now_ns, report)
        stamp = report.header.stamp
        facts = {
            'sequence': report.sequence,
            'source': report.source,
            'confidence': report.confidence,
            'latencies_ms': {
                'observation_to_publish': 1e3 * report.delay,
                'policy_call': report.call_ms,
                'model': report.model_ms,
            },
        }
        self.steps.report(stamp.sec * 10**9 + stamp.nanosec, facts)

    def _joints(self, topic: Topic) -> Joints | None:
        content = self._newest.get(topic.name)
        if content is None:
            return None
        names, positions = self._joint_readers[topic.name].read(content)
        return Joints(tuple(names), positions)
