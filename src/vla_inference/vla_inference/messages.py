# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages of inference steps, and what they need of the safety filter's."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from rclpy.serialization import serialize_message
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.cdr import Writer
from vla_common.chunk_curve import Interpolation
from vla_common.messages import ns_to_stamp, seconds_to_duration
from vla_inference.blender import UNKNOWN, Playback
from vla_inference.inference_step import InferenceStep, StepResult
from vla_inference.session import Session, TaskReport
from vla_interfaces.msg import ChunkReport, InferenceStatus
from vla_policy.types import ActionChunk, PoseError

FILTER_FIELDS = (
    *('header.stamp', 'speed_scale', 'interpolation', 'chunk_stamp', 'playback_time'),
    *('motion_ended', 'counter_names', 'counter_values'),
)
"""Of SafetyStatus, in the order of FilterStatus."""


class FilterStatus(NamedTuple):
    """stamp_ns, chunk_ns: ns on the ROS clock. time: s into that chunk, -1 without one. The rest as
    in SafetyStatus."""

    stamp_ns: int
    speed_scale: float
    interpolation: str
    chunk_ns: int
    time: float
    motion_ended: str
    counter_names: Sequence[str]
    counter_values: Sequence[int]

    @property
    def playback(self) -> Playback:
        name = self.interpolation
        curve = Interpolation(name) if name else UNKNOWN.interpolation
        return Playback.of_status(self.speed_scale, curve, self.chunk_ns, self.stamp_ns, self.time)


class ChunkWriter:
    """Chunks as serialised JointTrajectory messages. A policy's chunks usually differ in positions
    only; from the second of a form on they are written in place, in a hundredth of rclpy's time."""

    def __init__(self) -> None:
        self._form: tuple[tuple[str, ...], bytes] | None = None
        self._writer: Writer | None = None

    def write(self, chunk: ActionChunk, stamp_ns: int) -> bytes:
        """The serialised message, stamped with the observation's time."""
        times = np.asarray(chunk.times, float)
        form = (chunk.joints, times.tobytes())
        if form != self._form:
            # A slowed chunk has its own times: the next one differs again.
            self._form, self._writer = form, None
            return serialize_message(chunk_message(chunk, stamp_ns))
        if self._writer is None:
            fields = (f'points.{i}.positions' for i in range(len(times)))
            self._writer = Writer(chunk_message(chunk, stamp_ns), 'header.stamp', *fields)
        return self._writer.write(stamp_ns, *chunk.positions)


def chunk_message(chunk: ActionChunk, stamp_ns: int) -> JointTrajectory:
    """The chunk as a message."""
    message = JointTrajectory(joint_names=list(chunk.joints))
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.points = [
        JointTrajectoryPoint(positions=row.tolist(), time_from_start=seconds_to_duration(float(t)))
        for row, t in zip(chunk.positions, chunk.times, strict=True)
    ]
    return message


def chunk_report(result: StepResult, step: InferenceStep, blending: str) -> ChunkReport:
    """Origin, timing and border of the result's chunk."""
    message = ChunkReport(blending=blending)
    message.header.stamp = ns_to_stamp(result.stamp_ns)
    origin = result.origin
    message.source = origin.source
    message.link = origin.slot
    message.call_ms = 1e3 * origin.call
    message.model_ms = 1e3 * origin.model
    message.starvation = step.starvation
    message.late_chunks = step.late_chunks
    message.confidence = result.confidence
    message.speed, message.disagreement = 1.0, -1.0
    _put_pose_error(message, result.chunk.pose_error if result.chunk is not None else None)
    joined = origin.joined
    if joined is not None:
        message.delay = joined.delay
        jump = joined.jump
        message.discontinuity_position = jump.position
        message.discontinuity_velocity = jump.velocity
        message.discontinuity_acceleration = jump.acceleration
        message.disagreement = joined.disagreement
        message.speed = joined.speed
    return message


def _put_pose_error(message: ChunkReport, found: PoseError | None) -> None:
    message.pose_error = message.rotation_error = message.path_error = -1.0
    if found is not None:
        message.pose_error, message.rotation_error = found.position, found.rotation
        message.path_error, message.cannot_follow = found.path, found.reason


def status_message(
    result: StepResult, step: InferenceStep, session: Session, now: float
) -> InferenceStatus:
    """The status of step and session, under their lock; without stamp, sequence and the fields of
    the node. now: steady s."""
    message = InferenceStatus()
    message.state = int(result.state)
    message.reason = result.reason
    message.instruction = session.instruction
    message.instruction_id = session.id
    message.instructions_finished = session.finished
    message.last_result = session.last_result
    message.phase = session.phase.value
    message.elapsed = session.elapsed(now)
    message.confidence = result.confidence
    message.observation_age = result.age
    message.observation_skew = result.skew
    message.inference_ms = 1e3 * result.inference
    message.cycle_ms = 1e3 * result.duration
    message.observations_rejected = step.observations_rejected
    message.policy_errors = step.policy_errors
    message.chunks_not_followed = step.chunks_not_followed
    message.cannot_follow = step.cannot_follow
    report = session.report
    put_assessment(message, report)
    message.held_by = list(report.holding)
    message.held_s = report.held_s
    return message


def put_assessment(message: Any, report: TaskReport) -> None:
    """The policy's view, into the fields that status, feedback and result share."""
    message.understood = report.assessment.understood
    message.possible = report.assessment.possible
    message.done = report.assessment.done


def assessment_text(report: TaskReport) -> str:
    """For the log; empty for a policy that does not tell."""
    found = report.assessment
    named = (('understood', found.understood), ('possible', found.possible), ('done', found.done))
    parts = [f'{name} {value:.2f}' for name, value in named if value >= 0.0]
    if report.held_by:
        parts.append(f'held {report.held_s:.1f} s by {", ".join(report.held_by)}')
    return ', '.join(parts)
