# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Attempts as messages."""

from __future__ import annotations

import numpy as np
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.messages import ns_to_stamp
from vla_common.wire import NANOSECONDS, Writer
from vla_inference.cycle import Attempt, InferenceCycle
from vla_inference.policy import ActionChunk
from vla_interfaces.msg import ChunkReport


class ChunkWriter:
    """Chunks as serialised JointTrajectory messages. A policy's chunks differ in numbers only, so
    that each is written into the form of the one before; rclpy takes ten times as long."""

    def __init__(self) -> None:
        self._form: tuple[tuple[str, ...], int] | None = None
        self._writer: Writer | None = None

    def write(self, chunk: ActionChunk, stamp_ns: int) -> bytes:
        """The chunk, stamped with the observation's time; what `publish` takes."""
        form = (chunk.joints, len(chunk.times))
        if form != self._form or self._writer is None:
            self._writer, self._form = _chunk_writer(*form), form
        times = np.rint(np.asarray(chunk.times, float) * NANOSECONDS).astype(np.int64)
        numbers: list = [stamp_ns]
        for row, ns in zip(chunk.positions, times.tolist(), strict=True):
            numbers += (row, *divmod(ns, NANOSECONDS))
        return self._writer.write(*numbers)


def _chunk_writer(joints: tuple[str, ...], points: int) -> Writer:
    point = JointTrajectoryPoint(positions=[0.0] * len(joints))
    template = JointTrajectory(joint_names=list(joints), points=[point] * points)
    fields = [
        f'points.{i}.{name}'
        for i in range(points)
        for name in ('positions', 'time_from_start.sec', 'time_from_start.nanosec')
    ]
    return Writer(template, 'header.stamp', *fields)


def chunk_report(attempt: Attempt, cycle: InferenceCycle, blending: str) -> ChunkReport:
    """How that chunk came about."""
    message = ChunkReport(blending=blending)
    message.header.stamp = ns_to_stamp(attempt.stamp_ns)
    origin = attempt.origin
    message.source = origin.source
    message.link = origin.link
    message.call_ms = 1e3 * origin.call
    message.model_ms = 1e3 * origin.model
    message.starvation = cycle.starvation
    message.late_chunks = cycle.late_chunks
    message.confidence = attempt.confidence
    message.speed, message.disagreement = 1.0, -1.0
    joined = origin.joined
    if joined is not None:
        message.delay = joined.delay
        step = joined.jump
        message.discontinuity_position = step.position
        message.discontinuity_velocity = step.velocity
        message.discontinuity_acceleration = step.acceleration
        message.disagreement = joined.disagreement
        message.speed = joined.speed
    return message
