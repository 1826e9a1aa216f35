# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Attempts as messages."""

from __future__ import annotations

from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.messages import ns_to_stamp, seconds_to_duration
from vla_inference.cycle import Attempt, InferenceCycle
from vla_interfaces.msg import ChunkReport


def chunk_message(attempt: Attempt) -> JointTrajectory:
    """The chunk, stamped with the observation's time."""
    chunk = attempt.chunk
    message = JointTrajectory(joint_names=list(chunk.joints))
    message.header.stamp = ns_to_stamp(attempt.stamp_ns)
    message.points = [
        JointTrajectoryPoint(positions=row.tolist(), time_from_start=seconds_to_duration(float(t)))
        for row, t in zip(chunk.positions, chunk.times, strict=True)
    ]
    return message


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
        message.discontinuity_position = joined.jump.position
        message.discontinuity_velocity = joined.jump.velocity
        message.discontinuity_acceleration = joined.jump.acceleration
        message.disagreement = joined.disagreement
        message.speed = joined.speed
    return message
