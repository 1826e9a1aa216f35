# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Chunks as messages."""

from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from trajectory_msgs.msg import JointTrajectory

from vla_common.states import InferenceState
from vla_inference.inference_step import Origin, StepResult
from vla_inference.messages import ChunkWriter, chunk_report
from vla_policy.types import ActionChunk, PoseError


def test_a_written_chunk_is_read_back_unchanged_whatever_its_form():
    rng = np.random.default_rng(0)
    writer = ChunkWriter()
    usual, slowed = 0.1 * np.arange(1, 5), 0.17 * np.arange(1, 5)
    forms = [(('a', 'b'), usual)] * 4 + [(('a', 'b'), slowed), (('b',), usual)] * 2
    for i, (joints, times) in enumerate(forms):
        chunk = ActionChunk(joints, rng.standard_normal((4, len(joints))), times)
        stamp_ns = 10**18 + 999_999_999 + i
        message = deserialize_message(writer.write(chunk, stamp_ns), JointTrajectory)
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == stamp_ns
        assert tuple(message.joint_names) == joints
        np.testing.assert_array_equal([p.positions for p in message.points], chunk.positions)
        found = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points]
        np.testing.assert_allclose(found, times, atol=1e-9)


@pytest.mark.parametrize(
    ('error', 'wanted'),
    [
        (None, (-1.0, -1.0, -1.0, '')),
        (PoseError(0.3, 0.1, 0.4, 'cannot follow'), (0.3, 0.1, 0.4, 'cannot follow')),
    ],
)
def test_what_a_cartesian_action_leaves_is_in_the_chunks_report(error, wanted):
    chunk = ActionChunk(('a',), np.zeros((2, 1)), np.array([0.1, 0.2]), pose_error=error)
    origin = Origin(0, 'square 1', None, 0.0, 0.0)
    result = StepResult(
        InferenceState.ACTIVE, '', None, chunk, 0, 1.0, 0.0, 0.0, 0.0, 0.0, origin=origin
    )
    step = SimpleNamespace(starvation=0.0, late_chunks=0)
    found = chunk_report(result, step, 'replace')
    assert (found.pose_error, found.rotation_error, found.path_error, found.cannot_follow) == wanted
