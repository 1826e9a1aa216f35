# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot's messages for tests: a run of twenty seconds with two instructions and an e-stop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common import topics
from vla_interfaces.msg import (
    BalanceState,
    Cause,
    ChunkReport,
    DriverStatus,
    InferenceStatus,
    SafetyStatus,
    SupervisorState,
    Violation,
)
from vla_monitor.recording.bag import BagTopic
from vla_monitor.recording.digest import SessionDigest
from vla_monitor.recording.observer import Observer
from vla_monitor.recording.recording import Recording
from vla_monitor.recording.schemas import schema_of
from vla_monitor.recording.settings import Received, Settings

JOINTS = ['left_elbow', 'right_elbow']
URDF = (
    '<robot name="two"><joint name="left_elbow" type="revolute">'
    '<limit lower="-1.0" upper="1.0" velocity="2.0" effort="10"/></joint>'
    '<joint name="right_elbow" type="revolute">'
    '<limit lower="-1.0" upper="1.0" velocity="2.0" effort="10"/></joint></robot>'
)
MARKUP = 'wave <script>alert(1)</script>'
S = 10**9


def stamp(now_ns: int) -> Time:
    return Time(sec=now_ns // S, nanosec=now_ns % S)


def run_of(start_ns: int, seconds: float = 20.0, image: bool = True) -> Iterator[Received]:
    """READY; "reach" from 2 s, done at 8 s; MARKUP from 10 s; an e-stop at 15 s."""

    def message(topic: topics.Topic, content: object, now_ns: int) -> Received:
        return Received(topic.name, serialize_message(content), now_ns, now_ns - 50_000)

    yield message(topics.ROBOT_DESCRIPTION, String(data=URDF), start_ns)
    chunks = 0
    for tick in range(round(seconds * 100)):
        t, now_ns = tick / 100, start_ns + tick * S // 100
        running = 2.0 <= t < 8.0 or 10.0 <= t < 15.0
        stopped = t >= 15.0
        position = [0.5 * math.sin(t), 0.98]
        joints = JointState(
            name=JOINTS, position=position, velocity=[0.5 * math.cos(t), 0.0], effort=[1.0, 2.0]
        )
        joints.header.stamp = stamp(now_ns)
        yield message(topics.JOINT_STATES, joints, now_ns)
        command = JointState(name=JOINTS, position=[position[0] + 0.01, 0.99])
        command.header.stamp = stamp(now_ns)
        yield message(topics.JOINT_COMMAND, command, now_ns)
        if tick % 10 == 0 and running:
            chunks += 1
            chunk = JointTrajectory(joint_names=JOINTS)
            chunk.header.stamp = stamp(now_ns - S // 20)
            for i in range(1, 5):
                nanosec = i * S // 10
                chunk.points.append(
                    JointTrajectoryPoint(
                        positions=[0.1 * i, 0.99], time_from_start=Duration(nanosec=nanosec)
                    )
                )
            yield message(topics.ACTION_CHUNK, chunk, now_ns)
            report = ChunkReport(
                sequence=chunks, source='reacher 1', delay=0.05, call_ms=30.0, model_ms=25.0
            )
            report.header.stamp = chunk.header.stamp
            yield message(topics.CHUNK_REPORT, report, now_ns)
        state = SupervisorState(
            sequence=tick + 1, mode=4 if stopped else 2 if running else 1,
            behaviour=2 if stopped else 4, speed_scale=1.0, level=3 if stopped else 0, armed=True,
            nodes_active=['camera'], motion_epoch=1,
        )  # fmt: skip
        if stopped:
            state.causes.append(
                Cause(
                    name='estop_request', source='operator', detail='button', clears='reset',
                    level=3, present=True,
                )
            )  # fmt: skip
        yield message(topics.SUPERVISOR_STATE, state, now_ns)
        safety = SafetyStatus(
            sequence=tick + 1, state=1 if running else 4, chunk_age=0.05 if running else -1.0,
            tick_ms=0.8, interpolation='minimum_jerk', speed_scale=1.0,
        )  # fmt: skip
        if running:
            safety.chunk_stamp = stamp(now_ns - S // 20 - (tick % 10) * S // 100)
            safety.playback_time = 0.1
        if 4.0 <= t < 5.0:
            safety.level = 1
            safety.interventions = round((t - 4.0) * 100) + 1
            safety.violations = [
                Violation(kind='position', subject='right_elbow', value=1.05, limit=1.0, level=1)
            ]
        elif t >= 5.0:
            safety.interventions = 100
        yield message(topics.SAFETY_STATUS, safety, now_ns)
        status = InferenceStatus(
            sequence=tick + 1, state=1 if running else 0, policy='reacher 1',
            instruction='reach' if 2 <= t < 8 else MARKUP if 10 <= t < 15 else '',
            instruction_id=(t >= 2) + (t >= 10), instructions_finished=(t >= 8) + (t >= 15),
            last_result='stopped: ESTOP' if t >= 15 else 'done' if t >= 8 else '',
            observation_age=0.02,
        )  # fmt: skip
        yield message(topics.INFERENCE_STATUS, status, now_ns)
        balance = BalanceState(sequence=tick + 1, margin=0.06 - 0.05 * (t > 14.9))
        yield message(topics.BALANCE_STATE, balance, now_ns)
        driver = DriverStatus(sequence=tick + 1, behaviour=state.behaviour, loop_ms=0.4)
        yield message(topics.HARDWARE_STATUS, driver, now_ns)
        if image and tick % 10 == 0:
            yield Received(topics.COLOR_IMAGE.name, image_at(now_ns), now_ns, now_ns)


def image_at(now_ns: int) -> bytes:
    """A color image of 64 x 48 whose brightness grows with time."""
    content = np.full((48, 64, 3), 40 + (now_ns // (S // 10)) % 200, np.uint8)
    made = Image(height=48, width=64, encoding='rgb8', step=192, data=content.tobytes())
    made.header.stamp = stamp(now_ns)
    return bytes(serialize_message(made))


def bag_topics() -> list[BagTopic]:
    return [
        BagTopic(t.name, t.type, schema_of(t.type), latched=int(t.qos == 'LATCHED'))
        for t in topics.TOPICS
    ]


def settings(folder: Path, **given: object) -> Settings:
    values: dict = {
        'directory': folder, 'compression': 'lz4', 'images': 'both', 'split_size': 500_000_000,
        'split_time': 3600.0, 'budget': 10**12, 'min_free': 0, 'queue': 64_000_000,
    }  # fmt: skip
    return Settings(**{**values, **given})


def observe(start_ns, emit_event, emit_step):
    digest = SessionDigest(start_ns, emit_event)
    return Observer(digest, emit_step), digest.summary


def recording(folder: Path, lines: list[str] | None = None, **given: object) -> Recording:
    """A recording with all topics of the table."""
    log = (lines if lines is not None else []).append
    made = Recording(
        settings(folder, **given), lambda: {'robot': 'two', 'fingerprints': {}}, None, observe, log
    )
    for topic in bag_topics():
        made.add_topic(topic)
    return made
