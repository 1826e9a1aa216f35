# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The whole robot when a node is alive and what it publishes is corrupted.

A relay between the nodes corrupts the messages (vla_validation.faults). The robot is shared: each
corruption leaves it in SAFE_STOP, the next test resumes it and starts it again.
"""

import numpy as np
import pytest
from whole_robot import BRING_UP, STOP, SharedRobot, WholeRobot

from vla_common import topics
from vla_common.executor_thread import destroy_later
from vla_common.states import Mode
from vla_common.testing import Collected


def counters(robot: WholeRobot) -> dict[str, int]:
    status = robot.safety.last
    named = dict(zip(status.counter_names, status.counter_values, strict=True))
    return {**named, 'chunks_rejected': status.chunks_rejected}


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    robot = SharedRobot(tmp_path_factory.mktemp('robot'), relayed=(topics.ACTION_CHUNK,))
    yield robot
    robot.close()


@pytest.mark.parametrize(
    ('corruption', 'kind'),
    [
        ('nan', 'not_finite'),
        ('wrong_size', 'wrong_shape'),
        ('unknown_joint', 'unknown_joint'),
        ('jump', 'implausible'),
    ],
)
def test_bad_chunks_are_rejected_by_name_and_the_motion_brakes_to_a_stand(shared, corruption, kind):
    with shared.ready() as robot:
        robot.start_motion()
        before = counters(robot)
        with (
            robot.collecting(topics.JOINT_COMMAND) as commands,
            robot.message_fault(topics.ACTION_CHUNK.name, corruption),
        ):
            robot.wait(
                lambda: robot.safety.last.chunks_rejected > before['chunks_rejected'],
                STOP,
                'a rejection',
            )
            grown = [name for name, count in counters(robot).items() if count > before.get(name, 0)]
            assert any(kind in name for name in grown), grown
            # The good chunk plays out, then it brakes; a robot without valid chunks is stopped.
            robot.wait_mode(Mode.SAFE_STOP, 2 * STOP)
            robot.wait_rest()
        robot.assert_standing()
        assert_commands_are_smooth(commands)
        robot.assert_no_motion_resumes(1.0)


def test_chunks_that_stop_coming_end_in_a_safe_stop(shared):
    with shared.ready() as robot:
        robot.start_motion()
        with (
            robot.collecting(topics.JOINT_COMMAND) as commands,
            robot.message_fault(topics.ACTION_CHUNK.name, 'silence'),
        ):
            robot.wait_mode(Mode.SAFE_STOP, 2 * STOP)
            robot.wait_rest()
        robot.assert_standing()
        assert_commands_are_smooth(commands)


def test_a_second_publisher_on_the_command_topic_stops_the_robot(shared):
    with shared.ready() as robot:
        robot.start_motion()
        publisher = robot.publisher(topics.JOINT_COMMAND)
        try:
            robot.wait_mode(Mode.SAFE_STOP, STOP)
            robot.wait_cause('duplicate_publisher:/joint_command', STOP)
            robot.assert_standing()
        finally:
            destroy_later(robot.node, lambda: robot.node.destroy_publisher(publisher))


def test_a_frozen_camera_stops_the_robot(shared, tmp_path):
    shared.close()  # one robot in a domain, and two cores carry no second one
    arguments = {'policy': 'humanoid_vla', 'instruction': 'none', 'respawn': 'false'}
    with WholeRobot(tmp_path, relayed=(topics.COLOR_IMAGE,), **arguments) as robot:
        robot.wait_mode(Mode.READY, BRING_UP)
        with robot.message_fault(topics.COLOR_IMAGE.name, 'frozen'):
            robot.wait_cause('camera_frozen', BRING_UP)
            assert robot.mode == Mode.SAFE_STOP
            refused = robot.answer('/supervisor/resume')
            assert not refused.success
            assert 'camera' in refused.message
            robot.assert_standing()


def assert_commands_are_smooth(commands: Collected) -> None:
    """No command jumps: between two of them no joint moves faster than its velocity limit."""
    messages = commands.messages
    positions = np.array([message.position for message in messages])
    stamps = np.array([m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in messages])
    assert np.isfinite(positions).all()
    # The filter limits by its own measured period; a late tick may be stamped late by as much.
    period = np.maximum(np.diff(stamps), 0.01)[:, None]
    speed = np.abs(np.diff(positions, axis=0)) / period
    assert speed.max() < 8.0, f'a command jumped: {speed.max():.1f} rad/s'
