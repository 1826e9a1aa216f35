# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node, with the robot, the camera and the supervisor played by a probe."""

import os
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from rclpy.action import ActionClient
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_common import qos
from vla_common.messages import stamp_to_ns
from vla_common.testing import answer, wait_until
from vla_inference.node import InferenceNode
from vla_interfaces.action import RunInstruction
from vla_interfaces.msg import Cause, ChunkReport, InferenceStatus, SupervisorState
from vla_policy.load import load_policy
from vla_policy.testing.bundles import write_bundle
from vla_policy.testing.faulty_policy import FaultyPolicy

SCRIPTED = str(Path(__file__).parents[3] / 'models' / 'scripted')
S = SupervisorState


class World:
    """Publishes what the camera, the driver and the supervisor would, 50 times a second."""

    def __init__(self, ros, robot) -> None:
        self.probe = ros.probe()
        self.robot = robot
        self.mode = S.INACTIVE
        self.epoch = 0
        self.causes: list[Cause] = []
        self.grant = True
        self.starts = 0
        self.frozen = False
        self.joints_on = True
        self.colour = (100, 100, 100)
        self.position = robot.poses['standing'].copy()
        node = self.probe.node
        self._image = self.probe.publisher(Image, '/camera/color/image_raw', qos.IMAGE)
        self._joints = self.probe.publisher(JointState, '/joint_states', qos.STATE)
        self._imu = self.probe.publisher(Imu, '/imu/data', qos.STATE)
        self._state = self.probe.publisher(SupervisorState, '/supervisor/state', qos.STATE)
        self.instruction = self.probe.publisher(String, '/vla/instruction', qos.COMMAND)
        self.chunks = self.probe.subscribe(JointTrajectory, '/vla/action_chunk', qos.COMMAND)
        self.status = self.probe.subscribe(InferenceStatus, '/vla/inference_status', qos.STATE)
        self.reports = self.probe.subscribe(ChunkReport, '/vla/chunk_report', qos.EVENT)
        node.create_service(Trigger, '/supervisor/start', self._start)
        self._tick = 0
        node.create_timer(0.02, self._publish)
        self.running_since_ns = 0

    def _start(self, request, response):
        self.starts += 1
        response.success = self.grant
        response.message = '' if self.grant else 'camera_frozen'
        if self.grant:
            self.mode = S.RUNNING
        return response

    def _publish(self) -> None:
        self._tick += 1
        stamp = self.probe.node.get_clock().now().to_msg()
        pixels = np.full((48, 64, 3), self.colour, np.uint8)
        if not self.frozen:
            pixels[0, 0, 0] = self._tick % 200
        image = Image(height=48, width=64, step=192, encoding='rgb8', data=pixels.tobytes())
        joints = JointState(
            name=list(self.robot.joint_names),
            position=self.position.tolist(),
            velocity=[0.0] * self.robot.n,
        )
        imu = Imu()
        imu.orientation.w = 1.0
        state = SupervisorState(
            mode=self.mode, motion_epoch=self.epoch, sequence=self._tick, causes=self.causes
        )
        for message in (image, joints, imu, state):
            message.header.stamp = stamp
        if self.mode == S.RUNNING and not self.running_since_ns:
            self.running_since_ns = stamp_to_ns(stamp)
        self._image.publish(image)
        self._imu.publish(imu)
        if self.joints_on:
            self._joints.publish(joints)
        self._state.publish(state)

    def say(self, text: str) -> None:
        self.probe.wait_for_subscriber(self.instruction)
        self.instruction.publish(String(data=text))

    def status_where(self, condition, timeout=10.0):
        """The first status from now on."""
        self.status.clear()
        return self.status.wait_for(condition, timeout)

    def five_steps(self):
        begun = self.status_where(lambda s: True).sequence
        return self.status_where(lambda s: s.sequence > begun + 5)


@pytest.fixture
def world(ros, robot):
    return World(ros, robot)


@pytest.fixture
def bring_up(ros):
    def make(faulty=None, **parameters):
        policies = []

        class Node(InferenceNode):
            def __init__(self, **options):
                def make_policy(*arguments, **keywords):
                    policy = load_policy(*arguments, **keywords)
                    if faulty is not None:
                        policy = FaultyPolicy(policy)
                        policies.append(policy)
                    return policy

                super().__init__(make_policy=make_policy, **options)

        node = ros.active_node(Node, **{'policy': SCRIPTED, **parameters})
        node.policies = policies
        return node

    return make


def test_instruction_runs_from_start_to_done_and_is_reported(world, bring_up):
    bring_up()
    world.status_where(lambda s: s.state == s.IDLE)
    assert not world.chunks.messages
    world.mode = S.READY
    world.say('wave with the left hand')
    status = world.status_where(lambda s: s.state == s.ACTIVE and s.chunks_published > 3)
    assert world.starts == 1
    assert status.instruction == 'wave with the left hand'
    assert status.phase == 'running'
    chunk = world.chunks.last
    assert list(chunk.joint_names)[:2] == ['left_shoulder_pitch', 'left_shoulder_roll']
    times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in chunk.points]
    np.testing.assert_allclose(times, 0.1 * np.arange(1, 17))
    stamps = [stamp_to_ns(c.header.stamp) for c in world.chunks.messages]
    assert stamps[0] >= world.running_since_ns
    world.say('')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.state == status.IDLE
    assert status.last_result == 'cancelled'


def test_nothing_is_published_outside_running_however_good_the_observations(world, bring_up):
    bring_up()
    for count, mode in enumerate((S.SAFE_STOP, S.ESTOP), start=1):
        world.mode = mode
        world.say('wave')
        status = world.status_where(lambda s, count=count: s.instructions_finished == count)
        # It must not wait for the resume or the arm and start by itself then.
        assert status.last_result.startswith('aborted: mode ')
    world.mode = S.INACTIVE
    world.say('wave')
    world.status_where(lambda s: s.phase.startswith('waiting'))
    assert world.starts == 0
    # The sentinel: chunks do arrive, and the first one is of after the start.
    world.mode = S.READY
    world.chunks.wait(1)
    assert stamp_to_ns(world.chunks.messages[0].header.stamp) >= world.running_since_ns > 0


def test_refused_start_ends_the_instruction_with_the_reason(world, bring_up):
    bring_up()
    world.grant = False
    world.mode = S.READY
    world.say('wave')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result == 'aborted: start refused: camera_frozen'


def test_unknown_instruction_ends_with_the_known_ones(world, bring_up):
    bring_up()
    world.mode = S.READY
    world.say('dance')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert 'no motion for "dance"' in status.last_result
    assert world.starts == 0


def test_an_instruction_that_does_not_fit_is_rejected_whole_and_nothing_moves(
    world, bring_up, tmp_path
):
    write_bundle(tmp_path)
    bring_up(policy=str(tmp_path))
    world.mode = S.READY
    world.say('wave wave wave with your left hand')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result.startswith(
        'aborted: the instruction has 7 tokens, the policy takes 5: "left hand" would be lost'
    )
    assert world.starts == 0 and not len(world.chunks)


def test_leaving_running_aborts_and_nothing_resumes(world, bring_up):
    bring_up()
    world.mode = S.READY
    world.say('wave')
    world.chunks.wait(2)
    world.causes = [Cause(name='supervisor_stalled', present=False)]  # gone when it is reported
    world.mode, world.epoch = S.SAFE_STOP, 1
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result == 'aborted: mode SAFE_STOP: supervisor_stalled'
    world.mode = S.READY
    world.status_where(lambda s: s.state == s.IDLE)
    world.mode = S.RUNNING  # for another client
    count = len(world.chunks)
    world.five_steps()
    assert len(world.chunks) == count
    assert world.starts == 1


def test_initial_instruction_is_carried_out_once_at_the_first_ready(world, bring_up, ros):
    node = bring_up(instruction='wave')
    world.status_where(lambda s: s.state == s.IDLE)
    world.mode = S.READY
    world.chunks.wait(1)
    assert world.starts == 1
    world.mode, world.epoch = S.SAFE_STOP, 1
    world.status_where(lambda s: s.instructions_finished == 1)
    ros.deactivate(node)
    ros.change(node, Transition.TRANSITION_CLEANUP)
    ros.configure(node)
    ros.activate(node)
    world.mode = S.READY
    world.five_steps()
    assert world.starts == 1


def test_initial_instruction_is_void_after_a_stop_so_that_a_respawned_node_never_resumes(
    world, bring_up
):
    world.epoch = 1
    world.mode = S.READY
    bring_up(instruction='wave')
    status = world.five_steps()
    assert world.starts == 0
    assert status.instruction_id == 0


def test_status_beats_without_instruction(world, bring_up):
    bring_up()
    world.status.clear()
    world.status.wait(20)
    sequences = [s.sequence for s in world.status.messages]
    assert sequences == sorted(set(sequences))
    span = world.status.times[-1] - world.status.times[0]
    assert (len(world.status.times) - 1) / span > 2.0  # 20 on a quiet machine


def test_hung_policy_is_reported_held_and_ended_while_the_heartbeat_continues(world, bring_up, ros):
    node = bring_up(faulty=True, fallback_duration=0.3)
    policy = node.policies[0]
    world.mode = S.READY
    world.say('wave')
    world.chunks.wait(1)
    policy.fault = 'hang'
    status = world.status_where(lambda s: s.state == s.FALLBACK)
    assert status.reason.startswith('policy failed: no answer for')
    wait_until(lambda: 'pending for' in node.diagnose()[1], what='the diagnosis')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result.startswith('aborted: policy failed: no answer for')
    ros.deactivate(node)
    assert not ros.change(node, Transition.TRANSITION_ACTIVATE)  # the call is still out
    policy.release.set()
    wait_until(lambda: node._step.calling_since is None, what='the call')
    policy.fault = ''
    ros.activate(node)
    world.status_where(lambda s: s.state == s.IDLE)


def test_second_bundle_takes_over_and_every_step_is_reported(world, bring_up, tmp_path):
    write_bundle(tmp_path / 'tiny')
    node = bring_up(faulty=True, fallback_policy=str(tmp_path / 'tiny'))
    world.mode = S.READY
    world.say('wave')
    first = world.reports.wait_for(lambda r: True)
    assert (first.link, first.blending) == (0, 'replace')
    assert 0.0 <= first.delay < 5.0
    node.policies[0].fault = 'nan'
    report = world.reports.wait_for(lambda r: r.link == 1)
    assert report.source == 'tiny 0.1.0'
    status = world.status_where(lambda s: s.state == s.FALLBACK)
    assert status.reason.endswith('tiny 0.1.0 took over')
    node.policies[1].fault = 'raise'
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert 'tiny 0.1.0 failed: RuntimeError: a policy that raises' in status.last_result
    # The next instruction begins at the top, and not by itself.
    node.policies[0].fault = ''
    assert world.starts == 1
    world.mode = S.READY
    finished = stamp_to_ns(status.header.stamp)
    world.say('wave')
    report = world.reports.wait_for(lambda r: stamp_to_ns(r.header.stamp) > finished)
    assert report.link == 0


def test_policy_that_fails_is_held_by_the_fallback_and_then_ended(world, bring_up):
    node = bring_up(faulty=True, fallback_duration=0.3)
    world.mode = S.READY
    world.say('wave')
    world.chunks.wait(1)
    node.policies[0].fault = 'nan'
    status = world.status_where(lambda s: s.state == s.FALLBACK)
    assert status.reason == 'policy failed: targets that are not finite: right_shoulder_pitch'
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result.startswith('aborted: policy failed')
    assert all(np.isfinite(p.positions).all() for c in world.chunks.messages for p in c.points)


def test_frozen_camera_is_reported_even_without_an_instruction(world, bring_up, tmp_path):
    write_bundle(tmp_path / 'tiny')
    bring_up(policy=str(tmp_path / 'tiny'), frozen_after=0.3)
    world.status_where(lambda s: s.state == s.IDLE and not s.camera_frozen)
    world.frozen = True
    world.status_where(lambda s: s.camera_frozen)
    world.frozen = False
    world.status_where(lambda s: not s.camera_frozen)


def test_learned_bundle_runs_and_without_joints_it_is_blocked_by_name(world, bring_up, tmp_path):
    write_bundle(tmp_path / 'tiny')
    bring_up(policy=str(tmp_path / 'tiny'))
    world.mode = S.READY
    world.say('wave')
    status = world.status_where(lambda s: s.state == s.ACTIVE and s.chunks_published > 2)
    assert status.policy == 'tiny 0.1.0'
    assert 0.0 <= status.observation_age < 0.3
    world.joints_on = False
    status = world.status_where(lambda s: s.state == s.BLOCKED)
    assert 'joint_states' in status.reason
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result.startswith('aborted: observation: joint_states')


class Client:
    """An action client on the probe."""

    def __init__(self, world):
        self.node = world.probe.node
        self.client = ActionClient(self.node, RunInstruction, '/vla/run_instruction')
        assert self.client.wait_for_server(10.0)
        self.feedback = []

    def send(self, **goal):
        def send():
            return self.client.send_goal_async(
                RunInstruction.Goal(**goal),
                feedback_callback=lambda message: self.feedback.append(message.feedback),
            )

        return answer(self.node, send, 'the goal to be answered')

    def result(self, handle):
        return answer(self.node, handle.get_result_async, 'the result')


def test_action_goal_runs_gives_feedback_and_ends_at_its_time_limit(world, bring_up):
    bring_up()
    world.mode = S.READY
    client = Client(world)
    handle = client.send(instruction='wave', time_limit=1.0)
    assert handle.accepted
    ended = client.result(handle)
    assert ended.status == 6  # aborted
    assert ended.result.reason == 'time limit'
    assert ended.result.duration >= 1.0
    assert any(f.phase == 'running' for f in client.feedback)


def test_action_goal_can_be_cancelled(world, bring_up):
    bring_up()
    world.mode = S.READY
    client = Client(world)
    handle = client.send(instruction='wave')
    world.chunks.wait(1)
    answer(client.node, handle.cancel_goal_async, 'the cancellation')
    ended = client.result(handle)
    assert (ended.status, ended.result.reason) == (5, 'cancelled')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.state == status.IDLE


def test_the_motion_of_a_goal_ends_when_its_client_ends_without_cancelling(world, bring_up):
    bring_up()
    world.mode = S.READY
    goal = ('/vla/run_instruction', 'vla_interfaces/action/RunInstruction', '{instruction: wave}')
    # The lease that a process announces is how long the others list it: short here.
    profile = Path(__file__).parents[3] / 'config' / 'fastdds.xml'
    environment = os.environ | {'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile)}
    with subprocess.Popen(['ros2', 'action', 'send_goal', *goal], env=environment) as client:
        try:
            world.chunks.wait(1)
            time.sleep(2.0)  # longer than a client may be unlisted
            assert client.poll() is None
        finally:
            client.kill()
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.last_result == 'its action client is gone'
    assert status.state == status.IDLE


def test_action_goal_is_aborted_by_a_stop_with_its_cause(world, bring_up):
    bring_up()
    world.mode = S.READY
    client = Client(world)
    handle = client.send(instruction='wave')
    world.chunks.wait(1)
    world.mode = S.ESTOP
    ended = client.result(handle)
    assert (ended.status, ended.result.success) == (6, False)
    assert ended.result.reason == 'mode ESTOP'


def test_action_goal_gets_its_result_when_the_node_is_deactivated(world, bring_up, ros):
    node = bring_up()
    world.mode = S.READY
    client = Client(world)
    handle = client.send(instruction='wave')
    world.chunks.wait(1)
    ros.deactivate(node)
    assert 'out of service' in client.result(handle).result.reason
    assert not client.send(instruction='wave').accepted


@pytest.mark.parametrize(
    'goal',
    [
        {'instruction': '  '},
        {'instruction': 'wave ' * 1000},
        {'instruction': 'wave', 'time_limit': float('nan')},
        {'instruction': 'wave', 'time_limit': 1e300},
    ],
)
def test_invalid_action_goal_is_rejected(world, bring_up, goal):
    bring_up()
    assert not Client(world).send(**goal).accepted


@pytest.mark.parametrize(
    ('parameters', 'expected'),
    [
        ({'policy': '/nowhere'}, 'policy: found /nowhere'),
        ({'robot': 'unknown_robot'}, 'unknown_robot'),
        ({'policy': SCRIPTED, 'instruction': 'dance'}, 'instruction: found no motion for "dance"'),
        ({'policy': SCRIPTED, 'instruction': 'wave ' * 999}, 'instruction: found the instruction'),
        ({'policy': SCRIPTED, 'inference_frequency': 1.0}, 'inference_frequency: found 1.0'),
        ({'policy': SCRIPTED, 'memory.host': 1.0}, 'memory.host: found'),
        ({'policy': SCRIPTED, 'fallback_policy': '/nowhere'}, 'fallback_policy: found /nowhere'),
        ({'policy': 'ws://127.0.0.1:1'}, 'a policy server there'),
    ],
)
def test_configure_fails_loudly_and_can_be_tried_again(ros, parameters, expected):
    node = ros.node(InferenceNode, **parameters)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    assert ros.state(node) == 'unconfigured'
    assert expected in node._lifecycle_message[1]


def test_policy_that_is_too_slow_is_refused_at_configure(ros):
    def make_policy(*arguments, **keywords):
        return FaultyPolicy(load_policy(*arguments, **keywords), 'sleep', 0.05)

    class Slow(InferenceNode):
        def __init__(self, **options):
            super().__init__(make_policy=make_policy, **options)

    node = ros.node(Slow, policy=SCRIPTED, policy_timeout=0.02)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    assert 'wanted at most policy_timeout, 0.02 s' in node._lifecycle_message[1]


def test_no_thread_is_left_behind(ros, robot):
    node = ros.active_node(InferenceNode, policy=SCRIPTED)
    ros.deactivate(node)
    assert not [t for t in threading.enumerate() if t.name == 'inference worker']
    ros.change(node, Transition.TRANSITION_CLEANUP)
    wait_until(
        lambda: not [t for t in threading.enumerate() if t.name == 'policy call'],
        what='the policy thread to end',
    )


def test_messages_that_are_dropped_on_the_way_to_motion_are_counted_in_diagnostics(world, bring_up):
    node = bring_up()
    world.status_where(lambda s: s.state == s.IDLE)

    def counted(key, at_least):
        return int(node.diagnose()[2][key]) >= at_least

    assert node.diagnose()[2]['supervisor_messages_rejected'] == '0'
    world.mode = 99
    wait_until(lambda: counted('supervisor_messages_rejected', 3), what='unknown modes counted')
    world.mode = S.INACTIVE
    world.say('x' * 1001)
    wait_until(lambda: counted('instructions_rejected', 1), what='a text counted')
