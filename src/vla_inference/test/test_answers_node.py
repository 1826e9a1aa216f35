# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node with a bundle that says what it understood, and whether that is possible and done."""

import time

import pytest
from rclpy.action import ActionClient
from test_node import World

from vla_common import qos
from vla_common.testing import wait_until
from vla_inference.node import InferenceNode
from vla_interfaces.action import RunInstruction
from vla_interfaces.msg import SafetyStatus, SupervisorState
from vla_policy.testing.judged_bundle import ACHIEVED, BLUE, RED, TURNED, write_judged_bundle

SUCCEEDED, ABORTED = 4, 6
BUSY = {'observation.max_age': 2.0, 'observation.max_skew': 1.0, 'policy_timeout': 5.0}
"""Wide: what is looked at here is how instructions end, on a busy machine too."""


class Goals:
    """Sends goals and keeps their feedback."""

    def __init__(self, world: World) -> None:
        self.world, self.feedback = world, []
        self._client = ActionClient(world.probe.node, RunInstruction, '/vla/run_instruction')

    def send(self, text: str, time_limit: float = 60.0):
        """The pending result."""
        wait_until(self._client.server_is_ready, what='the action server')
        goal = RunInstruction.Goal(instruction=text, time_limit=time_limit)
        sent = self._client.send_goal_async(
            goal, feedback_callback=lambda message: self.feedback.append(message.feedback)
        )
        wait_until(sent.done, what='the goal response')
        assert sent.result().accepted
        return sent.result().get_result_async()

    @staticmethod
    def result(pending):
        wait_until(pending.done, timeout=30.0, what='the result')
        found = pending.result()
        return found.status, found.result


@pytest.fixture
def world(ros, robot, tmp_path):
    world = World(ros, robot)
    write_judged_bundle(tmp_path)
    ros.active_node(InferenceNode, policy=str(tmp_path), **BUSY)
    world.mode = SupervisorState.READY
    return world


@pytest.fixture
def goals(world):
    return Goals(world)


def nothing_moved(world) -> bool:
    return world.starts == 0 and not len(world.chunks)


def test_words_it_does_not_know_are_refused_and_nothing_moves(world, goals):
    status, result = goals.result(goals.send('wave elephant'))
    assert status == ABORTED and not result.success
    assert result.reason == 'I know wave; not "elephant"'
    assert result.understood == 0.0 and result.possible == 1.0
    assert result.duration == 0.0
    assert nothing_moved(world)
    seen = world.status_where(lambda s: s.instructions_finished == 1)
    assert seen.last_result == 'refused: I know wave; not "elephant"'
    # The sentinel: the next one moves, from an observation of after its start.
    goals.send('wave left hand')
    world.chunks.wait(1)
    assert world.starts == 1


def test_what_the_picture_shows_to_be_impossible_is_refused_with_its_reason(world, goals, robot):
    world.colour = RED
    status, result = goals.result(goals.send('wave'))
    assert (status, result.reason) == (ABORTED, 'no such cube in view')
    world.colour = (100, 100, 100)
    world.position[robot.index['head_yaw']] = TURNED
    status, result = goals.result(goals.send('wave right hand'))
    assert (status, result.reason) == (ABORTED, 'out of reach of that hand: "wave right hand"')
    assert nothing_moved(world)


def test_it_is_done_when_the_scene_says_so_and_feedback_and_status_tell(world, goals, robot):
    pending = goals.send('wave')
    world.chunks.wait(3)
    running = world.status_where(lambda s: s.phase == 'running' and s.understood == 1.0)
    assert (running.possible, running.done) == (1.0, 0.0)
    wait_until(lambda: any(f.phase == 'running' for f in goals.feedback), what='the feedback')
    world.position[robot.index['left_shoulder_pitch']] = ACHIEVED
    status, result = goals.result(pending)
    assert (status, result.success, result.reason) == (SUCCEEDED, True, 'done')
    assert (result.understood, result.possible, result.done) == (1.0, 1.0, 1.0)
    assert (list(result.held_by), result.held_s) == ([], 0.0)
    feedback = [f for f in goals.feedback if f.phase == 'running']
    assert feedback[0].understood == 1.0 and feedback[0].done == 0.0


def test_impossible_in_motion_is_given_up(world, goals):
    pending = goals.send('wave')
    world.chunks.wait(2)
    world.colour = RED
    status, result = goals.result(pending)
    assert (status, result.reason) == (ABORTED, 'no such cube in view')
    assert result.duration > 0.9


@pytest.mark.parametrize('word', ['stop', 'STOP!', 'please halt'])
def test_stop_stops_whatever_the_policy_knows(world, goals, word):
    pending = goals.send('wave')
    world.chunks.wait(2)
    status, result = goals.result(goals.send(word))
    assert (status, result.success) == (SUCCEEDED, True)
    assert result.reason == 'stopped "wave"; this is no e-stop'
    status, result = goals.result(pending)
    assert (status, result.reason) == (ABORTED, f'stopped by "{word}"')
    count = len(world.chunks)
    world.five_steps()
    assert len(world.chunks) == count


class FilterDouble:
    """Publishes /safety/status with a collision in every tick."""

    def __init__(self, world) -> None:
        self._publisher = world.probe.publisher(SafetyStatus, '/safety/status', qos.STATE)
        self._clock = world.probe.node.get_clock()
        self._holds = 0
        self.motion_ended = ''
        world.probe.node.create_timer(0.02, self._publish)

    def _publish(self) -> None:
        self._holds += 1
        message = SafetyStatus(
            speed_scale=1.0, interpolation='linear', motion_ended=self.motion_ended
        )
        message.header.stamp = self._clock.now().to_msg()
        message.counter_names, message.counter_values = ['jerk', 'collision'], [0, self._holds]
        self._publisher.publish(message)


def test_a_motion_that_the_filter_ended_aborts_the_instruction_with_its_reason(world, goals):
    safety = FilterDouble(world)
    pending = goals.send('wave', time_limit=20.0)
    world.chunks.wait(2)
    safety.motion_ended = 'held for 5.0 s by collision left_palm-table'
    status, result = goals.result(pending)
    assert (status, result.success) == (ABORTED, False)
    assert result.reason == 'held for 5.0 s by collision left_palm-table'
    assert list(result.held_by) == ['collision']


def test_done_is_not_said_while_the_filter_holds_a_joint(world, goals, robot):
    FilterDouble(world)
    world.colour = BLUE
    world.position[robot.index['left_shoulder_pitch']] = ACHIEVED
    status, result = goals.result(goals.send('wave', time_limit=3.0))
    assert status == ABORTED and not result.success
    assert result.reason == (
        'time limit: not done, left_shoulder_pitch is 0.40 rad short of its target, '
        'held by the safety filter (collision)'
    )
    assert list(result.held_by) == ['collision'] and result.held_s > 0.5
    assert result.done == 1.0


def test_an_instruction_while_another_starts_is_judged_too(world, goals):
    world.grant = False
    first = goals.send('wave')
    status, result = goals.result(first)
    assert result.reason == 'start refused: camera_frozen'
    world.grant = True
    moves = goals.send('wave')
    refused = goals.send('dance')
    assert goals.result(moves)[1].reason == 'replaced by a newer instruction'
    status, result = goals.result(refused)
    assert status == ABORTED and result.reason == 'I know wave; not "dance"'
    count = len(world.chunks)
    time.sleep(0.2)
    assert len(world.chunks) == count
