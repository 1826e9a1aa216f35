# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the robot does when a node beats well and talks nonsense.

A double takes the place of a node that was killed; the supervisor brings it up like a respawned
one, and an operator resumes.
"""

from __future__ import annotations

import signal

import numpy as np
import pytest
from doubles import FrozenCamera, LyingInference
from whole_robot import BRING_UP, launched

from vla_common.modes import Mode

STOP = 5.0
GOOD_FOR = 1.0


def with_a_liar(robot) -> LyingInference:
    """Replace inference by a double and set it in motion."""
    robot.wait_mode(Mode.READY)
    robot.send('inference', signal.SIGKILL)
    robot.wait_mode(Mode.SAFE_STOP, STOP)
    liar = robot.session.node(LyingInference)
    robot.wait(
        lambda: (
            'inference' in robot.supervisor.last.nodes_active
            and not any(cause.present for cause in robot.supervisor.last.causes)
        ),
        BRING_UP,
        'the double active',
    )
    # Discovery keeps a killed process for some seconds: until then there are two publishers, and
    # the supervisor rightly refuses.
    robot.wait(
        lambda: robot.probe.node.count_publishers('/vla/action_chunk') == 1, 30.0, 'one publisher'
    )
    robot.wait(lambda: robot.call('/supervisor/resume').success, 20.0, 'resume')
    robot.wait_mode(Mode.READY, STOP)
    liar.ask_to_start()
    robot.wait_mode(Mode.RUNNING, STOP)
    robot.wait(lambda: robot.safety.last.state == 1, STOP, 'tracking')
    return liar


@pytest.mark.parametrize(
    ('lie', 'kind'),
    [
        ('nan', 'not_finite'),
        ('short', 'wrong_shape'),
        ('unknown', 'unknown_joint'),
        ('jump', 'implausible'),
    ],
)
def test_bad_chunks_are_rejected_by_name_and_the_motion_brakes_to_a_stand(tmp_path, lie, kind):
    with launched(tmp_path, policy='scripted', instruction='none', respawn='false') as robot:
        liar = with_a_liar(robot)
        before = robot.safety.last.chunks_rejected
        robot.commands.clear()
        liar.lie = lie
        robot.wait(lambda: robot.safety.last.chunks_rejected > before + 3, STOP, 'rejections')
        counters = dict(
            zip(robot.safety.last.counter_names, robot.safety.last.counter_values, strict=True)
        )
        assert any(kind in name for name in counters), counters
        # The good chunk plays out, then it brakes; a robot without valid chunks is stopped.
        robot.wait_mode(Mode.SAFE_STOP, 10.0)
        robot.wait_rest()
        robot.assert_standing()
        assert_commands_are_smooth(robot)
        robot.assert_never_moves_again_by_itself(1.0)


def test_chunks_that_stop_coming_end_in_a_safe_stop(tmp_path):
    with launched(tmp_path, policy='scripted', instruction='none', respawn='false') as robot:
        liar = with_a_liar(robot)
        robot.commands.clear()
        liar.lie = 'none'
        robot.wait_mode(Mode.SAFE_STOP, 10.0)
        robot.wait_rest()
        robot.assert_standing()
        assert_commands_are_smooth(robot)


def test_a_frozen_camera_stops_the_robot(tmp_path):
    with launched(tmp_path, policy='humanoid_vla', instruction='none', respawn='false') as robot:
        robot.wait_mode(Mode.READY)
        robot.send('camera', signal.SIGKILL)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.session.node(FrozenCamera)
        robot.wait_cause('camera_frozen', BRING_UP)
        assert robot.mode == Mode.SAFE_STOP
        refused = robot.call('/supervisor/resume')
        assert not refused.success
        assert 'camera' in refused.message
        robot.assert_standing()


def test_a_second_publisher_on_the_command_topic_stops_the_robot(tmp_path):
    from sensor_msgs.msg import JointState
    from whole_robot import in_motion

    from vla_common import qos

    with launched(tmp_path, policy='scripted', time_limit=120.0, respawn='false') as robot:
        in_motion(robot)
        robot.probe.publisher(JointState, '/joint_command', qos.COMMAND)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.wait_cause('duplicate_publisher:/joint_command', STOP)
        robot.assert_standing()


def assert_commands_are_smooth(robot) -> None:
    """No command jumps: between two of them no joint moves faster than its velocity limit."""
    messages = list(robot.commands.messages)  # it goes on growing
    positions = np.array([message.position for message in messages])
    stamps = np.array([m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in messages])
    assert np.isfinite(positions).all()
    # The filter limits by its own measured period; a late tick may be stamped late by as much.
    period = np.maximum(np.diff(stamps), 0.01)[:, None]
    speed = np.abs(np.diff(positions, axis=0)) / period
    assert speed.max() < 8.0, f'a command jumped: {speed.max():.1f} rad/s'
