# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Attempts as messages."""

from __future__ import annotations

import numpy as np
from rclpy.serialization import serialize_message
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.cdr import Writer
from vla_common.messages import ns_to_stamp, seconds_to_duration
from vla_inference.inference_step import InferenceStep, StepResult
from vla_inference.session import Session
from vla_interfaces.msg import ChunkReport, InferenceStatus
from vla_policy.types import ActionChunk


class ChunkWriter:
    """Chunks as serialised JointTrajectory messages. Usually a policy's chunks differ in positions
    only; from the second of a form on they are written in place, in a hundredth of the time that
    rclpy takes."""

    def __init__(self) -> None:
        self._form: tuple[tuple[str, ...], bytes] | None = None
        self._writer: Writer | None = None

    def write(self, chunk: ActionChunk, stamp_ns: int) -> bytes:
        """The chunk, stamped with the observation's time; what `publish` takes."""
        times = np.asarray(chunk.times, float)
        form = (chunk.joints, times.tobytes())
        if form != self._form:
            # One that is slowed down has times of its own: not worth a writer.
            self._form, self._writer = form, None
            return serialize_message(chunk_message(chunk, stamp_ns))
        if self._writer is None:
            fields = (f'points.{i}.positions' for i in range(len(times)))
            self._writer = Writer(chunk_message(chunk, stamp_ns), 'header.stamp', *fields)
        return self._writer.write(stamp_ns, *chunk.positions)


def chunk_message(chunk: ActionChunk, stamp_ns: int) -> JointTrajectory:
    """The same as a message."""
    message = JointTrajectory(joint_names=list(chunk.joints))
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.points = [
        JointTrajectoryPoint(positions=row.tolist(), time_from_start=seconds_to_duration(float(t)))
        for row, t in zip(chunk.positions, chunk.times, strict=True)
    ]
    return message


def chunk_report(attempt: StepResult, cycle: InferenceStep, blending: str) -> ChunkReport:
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


def status_message(
    attempt: StepResult, cycle: InferenceStep, session: Session, now: float
) -> InferenceStatus:
    """What the attempt, its cycle and the session say; under the lock that they share. Stamp,
    sequence and what only the node knows are its own to add. now: steady s."""
    message = InferenceStatus()
    message.state = int(attempt.state)
    message.reason = attempt.reason
    message.instruction = session.instruction
    message.instruction_id = session.id
    message.instructions_finished = session.finished
    message.last_result = session.last_result
    message.phase = session.phase.value
    message.elapsed = session.elapsed(now)
    message.confidence = attempt.confidence
    message.observation_age = attempt.age
    message.observation_skew = attempt.skew
    message.inference_ms = 1e3 * attempt.inference
    message.cycle_ms = 1e3 * attempt.duration
    message.observations_rejected = cycle.observations_rejected
    message.policy_errors = cycle.policy_errors
    return message
