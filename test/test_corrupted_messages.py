# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the robot does when a node beats well and talks nonsense.

A double takes the place of a node that was killed; the supervisor brings it up like a respawned
one, and an operator resumes. The lies of one double are told on one robot, which is resumed and
started again for each.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack

import numpy as np
import pytest
from doubles import FrozenCamera, LyingInference
from sensor_msgs.msg import JointState
from whole_robot import BRING_UP, STOP, launched

from vla_common import qos
from vla_common.executor_thread import destroy_later
from vla_common.states import Mode
from vla_common.testing import Collected


def with_a_liar(robot) -> LyingInference:
    """Replace inference by a double."""
    robot.wait_mode(Mode.READY)
    robot.send('inference', signal.SIGKILL)
    robot.wait_mode(Mode.SAFE_STOP, STOP)
    liar = robot.session.node(LyingInference)
    robot.wait_until_mended()
    # Discovery keeps a killed process for some seconds: until then there are two publishers, and
    # the supervisor rightly refuses.
    robot.wait(
        lambda: robot.probe.node.count_publishers('/vla/action_chunk') == 1, 30.0, 'one publisher'
    )
    return liar


def counters(robot) -> dict[str, int]:
    status = robot.safety.last
    named = dict(zip(status.counter_names, status.counter_values, strict=True))
    return {**named, 'chunks_rejected': status.chunks_rejected}


@pytest.fixture(scope='class')
def shared(tmp_path_factory):
    """A robot that thinks with a double, and the double, set in motion anew for each lie."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp('robot')
        robot = stack.enter_context(
            launched(folder, policy='scripted', instruction='none', respawn='false')
        )
        yield robot, with_a_liar(robot)


@pytest.fixture
def lying(shared):
    robot, liar = shared
    liar.lie = 'good'
    robot.wait_until_mended()
    if robot.mode == Mode.SAFE_STOP:
        robot.insist('/supervisor/resume')
    robot.wait_mode(Mode.READY, STOP)
    robot.wait_rest()
    liar.ask_to_start()
    robot.wait_mode(Mode.RUNNING, STOP)
    robot.wait(lambda: robot.safety.last.state == 1, STOP, 'tracking')
    return robot, liar


class TestALyingInference:
    """All on one robot, which a lie leaves in SAFE_STOP and the next one's fixture resumes.

    A DANGER that persists is remembered for some seconds: a later lie is stopped sooner.
    """

    @pytest.mark.parametrize(
        ('lie', 'kind'),
        [
            ('nan', 'not_finite'),
            ('short', 'wrong_shape'),
            ('unknown', 'unknown_joint'),
            ('jump', 'implausible'),
        ],
    )
    def test_bad_chunks_are_rejected_by_name_and_the_motion_brakes_to_a_stand(
        self, lying, lie, kind
    ):
        robot, liar = lying
        before = counters(robot)
        with robot.listening(JointState, '/joint_command') as commands:
            liar.lie = lie
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
        robot.assert_never_moves_again_by_itself(1.0)

    def test_chunks_that_stop_coming_end_in_a_safe_stop(self, lying):
        robot, liar = lying
        with robot.listening(JointState, '/joint_command') as commands:
            liar.lie = 'none'
            robot.wait_mode(Mode.SAFE_STOP, 2 * STOP)
            robot.wait_rest()
        robot.assert_standing()
        assert_commands_are_smooth(commands)

    def test_a_second_publisher_on_the_command_topic_stops_the_robot(self, lying):
        robot, _ = lying
        publisher = robot.probe.publisher(JointState, '/joint_command', qos.COMMAND)
        try:
            robot.wait_mode(Mode.SAFE_STOP, STOP)
            robot.wait_cause('duplicate_publisher:/joint_command', STOP)
            robot.assert_standing()
        finally:
            destroy_later(robot.node, lambda: robot.node.destroy_publisher(publisher))


def test_a_frozen_camera_stops_the_robot(tmp_path):
    with launched(tmp_path, policy='humanoid_vla', instruction='none', respawn='false') as robot:
        robot.wait_mode(Mode.READY)
        robot.send('camera', signal.SIGKILL)
        robot.wait_mode(Mode.SAFE_STOP, STOP)
        robot.session.node(FrozenCamera)
        robot.wait_cause('camera_frozen', BRING_UP)
        assert robot.mode == Mode.SAFE_STOP
        refused = robot.ask_for('/supervisor/resume')
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
