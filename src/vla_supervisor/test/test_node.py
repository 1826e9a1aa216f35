# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node among doubles of the other five, over real middleware."""

import itertools
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from doubles import KIND, Robot
from rclpy.clock import ClockType
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, JointState
from std_srvs.srv import Trigger

from vla_common import qos
from vla_common.executor_thread import destroy_later
from vla_common.parameters import flatten
from vla_common.testing import wait_until
from vla_common.topics import HEARTBEAT_TOPIC
from vla_interfaces.msg import InferenceStatus, SupervisorState, Violation
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_supervisor.endpoints import answer_to
from vla_supervisor.node import SupervisorNode

S = SupervisorState
CONFIG = Path(__file__).parents[3] / 'config' / 'supervisor.yaml'


def shipped(**changes):
    """The parameters that ship, as node arguments, with slower watchdogs for a busy machine."""

    values = yaml.safe_load(CONFIG.read_text())['supervisor']['ros__parameters']
    found = flatten(values, '__')
    for name in HEARTBEAT_TOPIC:
        found[f'timeouts__{name}'] = 1.0
    found['stall_stop_after'] = 1.0
    found['not_tracking_stop_after'] = 1.0
    found['idle_end_after'] = 30.0
    for stop in ('safe_stop', 'estop'):
        found[f'{stop}__obey_within'] = 1.0
    found['graph_period'] = 0.1
    found['bringup__poll_period'] = 0.2
    found['bringup__backoff_first'] = 0.1
    found.update(changes)
    return found


class Scene:
    """A supervisor, its doubles, and a probe for the operator's steps."""

    def __init__(self, ros, robot_options=None, make=SupervisorNode, **changes):
        self.ros = ros
        self.probe = ros.probe()
        self.robot = Robot(ros, **(robot_options or {}))
        self.states = self.probe.subscribe(S, '/supervisor/state', qos.STATE)
        self.node = ros.node(make, **shipped(**changes))
        ros.configure(self.node)
        ros.activate(self.node)

    def ask(self, step):
        return self.probe.call(Trigger, f'/supervisor/{step}')

    def until(self, condition, timeout=15.0):
        """The first state from now on that fits."""
        self.states.clear()
        return self.states.wait_for(condition, timeout)

    def mode(self, mode, timeout=15.0):
        return self.until(lambda s: s.mode == mode, timeout)

    def stopped_by(self, cause, mode):
        """The first state from now on in ``mode`` that names ``cause``, which may not be alone."""
        return self.until(lambda s: s.mode == mode and cause in causes(s))

    def running(self):
        self.mode(S.READY)
        answer = self.ask('start')
        assert answer.success, answer.message
        return self.mode(S.RUNNING)

    def stays(self, mode):
        """Nothing but ``mode`` in the next 16 states."""
        self.states.clear()
        assert {s.mode for s in self.states.wait(16)} == {mode}


@pytest.fixture
def scene(ros):
    made = []

    def make(**options):
        made.append(Scene(ros, **options))
        return made[0]

    yield make
    for one in made:
        one.robot.close()


@pytest.fixture
def running(scene):
    s = scene()
    s.running()
    return s


def causes(state):
    return {c.name: c for c in state.causes}


def test_it_brings_all_nodes_up_arms_once_and_runs_and_ends_an_instruction(scene):
    s = scene()
    state = s.mode(S.READY)
    assert list(state.nodes_active) == list(KIND)
    assert list(state.nodes_missing) == []
    assert (state.behaviour, state.armed) == (S.BEHAVIOUR_HOLD, True)
    inference = s.robot.nodes['inference'].message
    running = s.running()
    assert running.behaviour == S.BEHAVIOUR_TRACK
    inference.state = InferenceStatus.ACTIVE
    s.stays(S.RUNNING)
    inference.instructions_finished = 1
    inference.state = InferenceStatus.IDLE
    ended = s.mode(S.READY)
    assert ended.motion_epoch == running.motion_epoch + 1
    s.stays(S.READY)


def test_estop_latches_is_published_before_it_is_answered_and_comes_back_in_three_steps(scene):
    s = scene()
    before = s.running()
    s.states.clear()
    assert s.ask('estop').success
    stopped = s.mode(S.ESTOP)
    assert stopped.behaviour == S.BEHAVIOUR_DAMP
    assert stopped.motion_epoch > before.motion_epoch
    assert not causes(stopped)['estop_request'].present
    for step, success, mode in (
        ('start', False, S.ESTOP),
        ('arm', False, S.ESTOP),
        ('reset', True, S.INACTIVE),
        ('start', False, S.INACTIVE),
        ('arm', True, S.READY),
        ('start', True, S.RUNNING),
    ):
        answer = s.ask(step)
        assert answer.success == success, answer.message
        s.mode(mode)
    sequences = [m.sequence for m in list(s.states.messages)]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize(
    ('name', 'mode', 'behaviour'),
    [
        ('hardware_driver', S.ESTOP, S.BEHAVIOUR_DAMP),
        ('safety_filter', S.SAFE_STOP, S.BEHAVIOUR_STAND),
        ('inference', S.SAFE_STOP, S.BEHAVIOUR_STAND),
    ],
)
def test_a_node_that_hangs_stops_the_robot_and_its_recovery_moves_nothing(
    running, name, mode, behaviour
):
    s = running
    s.robot.hang(name)
    stopped = s.stopped_by(f'node_stale:{name}', mode)
    assert stopped.behaviour == behaviour
    assert causes(stopped)[f'node_stale:{name}'].present
    back = 'reset' if mode == S.ESTOP else 'resume'
    refused = s.ask(back)
    assert not refused.success
    assert f'node_stale:{name}' in refused.message
    s.robot.hang(name, False)
    s.until(lambda m: not causes(m)[f'node_stale:{name}'].present)
    s.stays(mode)
    assert s.ask(back).success
    s.mode(S.INACTIVE if mode == S.ESTOP else S.READY)


def test_frozen_camera_stamps_do_not_feed_its_heartbeat(running):
    s = running
    s.robot.nodes['camera'].frozen = True
    s.stopped_by('node_stale:camera', S.SAFE_STOP)


def test_several_cameras_are_brought_up_and_the_loss_of_any_one_is_named(scene):
    s = scene(cameras=['head', 'wrist'], robot_options={'cameras': ['head', 'wrist']})
    state = s.running()
    assert {'camera_head', 'camera_wrist'} < set(state.nodes_active)
    s.robot.nodes['camera_wrist'].beating = False
    state = s.stopped_by('node_stale:camera_wrist', S.SAFE_STOP)
    assert 'node_stale:camera_head' not in causes(state)
    assert (
        '/camera/wrist/color/camera_info silent' in causes(state)['node_stale:camera_wrist'].detail
    )
    s.robot.nodes['camera_wrist'].beating = True
    s.until(lambda m: not any(c.present for c in m.causes))
    topic = '/camera/wrist/color/camera_info'
    s.probe.publisher(CameraInfo, topic, qos.IMAGE)
    s.until(lambda m: f'duplicate_publisher:{topic}' in causes(m))


def test_a_killed_node_is_brought_up_again_and_the_robot_waits_for_the_operator(scene):
    s = scene(robot_options={'in_process': ('camera',)})
    s.running()
    s.robot.kill('camera')
    assert causes(s.stopped_by('node_stale:camera', S.SAFE_STOP))['node_stale:camera'].present
    # Whether discovery has noticed by then (node_lost) or not (node_stale) is its own affair: Fast
    # DDS was once seen to list a killed participant for 30 s.
    s.until(lambda m: 'camera' not in m.nodes_active, 30.0)
    assert not s.ask('resume').success
    s.robot.start_process('camera')
    s.until(lambda m: len(m.nodes_active) == 5, 30.0)
    s.until(lambda m: not any(c.present for c in m.causes))
    s.stays(S.SAFE_STOP)
    assert s.ask('resume').success
    s.mode(S.READY)
    s.stays(S.READY)


def test_a_driver_killed_and_back_before_discovery_noticed_leads_to_inactive_only(scene):
    s = scene(robot_options={'in_process': ('hardware_driver',)})
    s.running()
    s.robot.kill('hardware_driver')
    s.robot.start_process('hardware_driver')
    s.mode(S.ESTOP)
    s.until(lambda m: len(m.nodes_active) == 5, 30.0)
    s.until(lambda m: not any(c.present for c in m.causes))
    s.stays(S.ESTOP)
    assert s.ask('reset').success
    s.stays(S.INACTIVE)


def test_a_node_that_fails_to_configure_is_named_with_its_reason_and_retried_on_arm(scene):
    why = 'camera.yaml: width: found -1, wanted a whole number'
    s = scene(robot_options={'camera': {'configure_error': why}})
    state = s.until(lambda m: len(m.nodes_active) == 4 and why in ''.join(m.nodes_missing))
    assert state.mode == S.INACTIVE
    assert list(state.nodes_missing) == [f'camera: configure failed: {why}']
    s.stays(S.INACTIVE)
    camera = s.robot.nodes['camera']
    assert camera.configures == 1
    refused = s.ask('arm')
    assert not refused.success
    assert why in refused.message
    wait_until(lambda: camera.configures == 2)
    s.until(lambda m: why in ''.join(m.nodes_missing))
    camera.configure_error = ''
    s.ask('arm')
    # auto_arm is on in these parameters, and this is still the first bring-up.
    s.mode(S.READY)


def test_a_supervisor_that_finds_nodes_running_never_arms_by_itself(scene, ros):
    s = scene()
    s.mode(S.READY)
    ros.deactivate(s.node)
    ros.change(s.node, 2)  # cleanup: forget everything, as a restarted process would have
    ros.configure(s.node)
    ros.activate(s.node)
    s.until(lambda m: list(m.nodes_active) == list(KIND))
    s.until(lambda m: not any(c.present for c in m.causes))
    s.stays(S.INACTIVE)
    assert s.ask('arm').success


def test_a_deactivated_supervisor_publishes_nothing_but_an_estop(running, ros):
    s = running
    ros.deactivate(s.node)
    wait_until(lambda: s.states.last.mode == S.SAFE_STOP)
    s.states.clear()
    assert s.ask('safe_stop').success
    assert not s.ask('arm').success
    assert s.ask('estop').success
    s.states.wait(5)
    assert {m.mode for m in s.states.messages} == {S.ESTOP}
    wait_until(lambda: s.robot.nodes['hardware_driver'].message.behaviour == S.BEHAVIOUR_DAMP)
    ros.activate(s.node)
    s.stays(S.ESTOP)


def test_a_button_pressed_at_a_deactivated_supervisor_is_the_only_cause_of_its_estop(running, ros):
    s = running
    challenge = register(s, 'pad', 5.0, 10.0).challenge
    ros.deactivate(s.node)
    time.sleep(1.5)  # longer than every timeout: the nodes are silent, for it
    assert check_in(s, 'pad', challenge, pressed=True).accepted
    stopped = s.mode(S.ESTOP)
    assert {n: c.present for n, c in causes(stopped).items()} == {
        'estop_endpoint:pad': True,
        'operator_stop': False,
    }
    assert list(stopped.nodes_missing) == ['supervisor: not active, nodes are not monitored']
    ros.activate(s.node)
    s.until(lambda m: list(m.nodes_active) == list(KIND))
    assert {n for n, c in causes(s.states.last).items() if c.present} == {'estop_endpoint:pad'}


def test_an_estop_is_published_whatever_the_wall_clock_reads(running, monkeypatch):
    s = running
    # As where it follows a simulation's clock that does not run.
    stopped = SimpleNamespace(now=lambda: Time(clock_type=ClockType.ROS_TIME))
    monkeypatch.setattr(s.node, 'get_clock', lambda: stopped)
    assert s.ask('estop').success
    assert causes(s.mode(S.ESTOP))['estop_request'].since.sec == 0


def test_a_second_publisher_of_commands_stops_and_refuses_arming(running):
    s = running
    publishers = [s.probe.publisher(JointState, '/joint_command', qos.COMMAND) for _ in range(2)]
    s.stopped_by('duplicate_publisher:/joint_command', S.SAFE_STOP)
    assert not s.ask('resume').success
    s.ask('estop')
    assert not s.ask('reset').success
    node = s.probe.node
    destroy_later(node, lambda: node.destroy_publisher(publishers[0]))
    s.until(lambda m: not any(c.present for c in m.causes))
    assert s.ask('reset').success


REPORTS = [
    ('hardware_driver', {'fault': True, 'fault_detail': 'bus'}, 'driver_fault', S.ESTOP),
    ('balance_monitor', {'fallen': True}, 'fall', S.ESTOP),
    ('balance_monitor', {'level': Violation.EMERGENCY}, 'balance_emergency', S.ESTOP),
    ('balance_monitor', {'level': Violation.DANGER}, 'balance_danger', S.SAFE_STOP),
    ('safety_filter', {'state': 3}, 'filter_infeasible', S.SAFE_STOP),
    ('inference', {'camera_frozen': True}, 'camera_frozen', S.SAFE_STOP),
]


def test_each_dangerous_report_ends_in_its_stop_and_clears_with_the_report(scene):
    s = scene(danger__stop_after=0.3, danger__fall_after=0.1)
    s.mode(S.READY)
    for name, changes, cause, mode in REPORTS:
        assert s.ask('start').success
        message = s.robot.nodes[name].message
        before = {field: getattr(message, field) for field in changes}
        for field, value in changes.items():
            setattr(message, field, value)
        assert causes(s.stopped_by(cause, mode))[cause].present
        for field, value in before.items():
            setattr(message, field, value)
        s.until(lambda m: not any(c.present for c in m.causes))
        for step in ('reset', 'arm') if mode == S.ESTOP else ('resume',):
            answer = s.ask(step)
            assert answer.success, answer.message


def test_danger_halves_the_speed_before_it_stops(scene):
    s = scene(danger__stop_after=10.0)
    s.running()
    s.robot.nodes['balance_monitor'].message.level = Violation.DANGER
    slowed = s.until(lambda m: m.speed_scale == 0.5)
    assert slowed.mode == S.RUNNING
    s.robot.nodes['balance_monitor'].message.level = Violation.SAFE
    assert s.until(lambda m: m.speed_scale == 1.0).mode == S.RUNNING


def test_a_driver_that_does_not_track_stops_the_robot(scene):
    s = scene()
    s.mode(S.READY)
    driver = s.robot.nodes['hardware_driver']
    driver.obeys = False
    driver.message.behaviour_reason = 'command stale'
    assert s.ask('start').success
    stopped = s.stopped_by('command_stale', S.SAFE_STOP)
    assert 'command stale' in causes(stopped)['command_stale'].detail


def test_an_unloaded_policy_allows_ready_but_no_start(scene):
    s = scene()
    s.mode(S.READY)
    s.robot.nodes['inference'].message.state = InferenceStatus.UNLOADED
    s.until(lambda m: 'policy_unloaded' in causes(m))
    refused = s.ask('start')
    assert not refused.success
    assert 'policy' in refused.message
    s.stays(S.READY)


def test_a_node_deactivated_by_hand_stops_the_robot_and_waits_for_the_operator(running, ros):
    s = running
    ros.deactivate(s.robot.nodes['camera'])
    s.mode(S.SAFE_STOP)
    s.until(lambda m: 'camera: deactivated by another client' in list(m.nodes_missing))
    assert not s.ask('resume').success  # and brings it up again
    s.until(lambda m: len(m.nodes_active) == 5 and not any(c.present for c in m.causes))
    assert s.ask('resume').success


def test_of_diagnostics_only_reports_of_lifecycles_are_read(ros, monkeypatch):
    read = []

    def reading(serialized, kind):
        read.append(deserialize_message(serialized, kind))
        return read[-1]

    monkeypatch.setattr('vla_supervisor.messages.deserialize_message', reading)
    node = ros.node(SupervisorNode, **shipped())
    ros.configure(node)
    ros.activate(node)
    probe = ros.probe()
    out = probe.publisher(DiagnosticArray, '/diagnostics', qos.EVENT)
    probe.wait_for_subscriber(out)
    ours = [DiagnosticStatus(name='camera: lifecycle', level=DiagnosticStatus.ERROR, message='m')]
    others = [DiagnosticStatus(name=f'arm: motor {i}', message='fine') for i in range(1000)]
    for statuses in (others, ours + others, ours):
        out.publish(DiagnosticArray(status=statuses))
    # Once the last one has come, those before it have too.
    wait_until(lambda: any([s.message for s in message.status] == ['m'] for message in read))
    assert not [message for message in read if len(message.status) >= 1000]


def register(s, name, soft, hard):
    request = RegisterEndpoint.Request(name=name, soft_timeout=soft, hard_timeout=hard)
    return s.probe.call(RegisterEndpoint, '/supervisor/register_endpoint', request)


def check_in(s, name, challenge, pressed=False, leaving=False):
    request = EndpointCheckin.Request(
        name=name, response=answer_to(challenge), pressed=pressed, leaving=leaving
    )
    return s.probe.call(EndpointCheckin, '/supervisor/checkin', request)


def test_an_endpoint_is_required_pressed_held_released_and_lost(scene):
    s = scene(require_endpoint=True)
    s.until(lambda m: len(m.nodes_active) == 5)
    refused = s.ask('arm')
    assert 'endpoint_required' in refused.message
    entered = register(s, 'button', 3.0, 5.0)
    assert entered.accepted, entered.reason
    reply = check_in(s, 'button', entered.challenge)
    assert reply.accepted, reply.reason
    s.mode(S.READY)
    assert not check_in(s, 'button', reply.challenge, leaving=True).accepted
    challenge = register(s, 'button', 3.0, 5.0).challenge
    reply = check_in(s, 'button', challenge, pressed=True)
    assert reply.mode == S.ESTOP
    assert not s.ask('reset').success
    reply = check_in(s, 'button', reply.challenge)
    assert s.ask('reset').success
    lost = s.mode(S.ESTOP, 20.0)  # no endpoint checks in any more
    assert causes(lost)['endpoint_lost:button'].present


def test_a_bad_parameter_fails_configure_with_one_message_that_names_it(ros):
    probe = ros.probe()
    reports = probe.subscribe(DiagnosticArray, '/diagnostics', qos.EVENT)
    node = ros.node(SupervisorNode, **shipped(safe_stop__rest_within=1.0))
    assert not ros.change(node, 1)
    message = reports.wait_for(
        lambda m: any('safe_stop.rest_within' in status.message for status in m.status)
    )
    text = next(x.message for x in message.status if 'rest_within' in x.message)
    assert 'found 1, wanted more than safe_stop.slow_within (4 s)' in text
    assert ros.state(node) == 'unconfigured'


def test_a_signal_makes_the_robot_stand_and_waits_until_the_driver_reports_it(running):
    s = running
    driver = s.robot.nodes['hardware_driver']
    driver.message.standing = False
    node = s.node
    node.secure()
    assert s.mode(S.SAFE_STOP).behaviour == S.BEHAVIOUR_STAND
    assert not node.finish(0.0)
    wait_until(lambda: not node.finish(1.0))  # until the driver's next status came
    assert 'shutting down' in s.ask('resume').message
    driver.message.standing = True
    wait_until(lambda: node.finish(1.0))
    driver.message.standing = False
    wait_until(lambda: not node.finish(1.0))
    assert node.finish(4.4)
    for name in list(KIND):
        s.robot.hang(name)
    wait_until(lambda: node.finish(1.0))
    s.stays(S.SAFE_STOP)  # all nodes end at shutdown: that is no e-stop


def test_states_come_at_their_rate_with_stamps_that_increase(scene):
    s = scene()
    s.mode(S.READY)
    s.states.clear()
    begin = time.monotonic()
    messages = list(s.states.wait(50))
    assert time.monotonic() - begin < 10.0
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in messages]
    assert stamps == sorted(set(stamps))
    # The probe's reader keeps one message: on a busy machine it may miss some.
    steps = [b.sequence - a.sequence for a, b in itertools.pairwise(messages)]
    assert min(steps) == 1
    assert sum(steps) < 100


def test_a_supervisor_that_was_started_again_does_not_arm_by_itself(scene):
    """All six may be new processes: nothing is found active, and no stop is known."""
    s = scene(make=partial(SupervisorNode, 'process 1 has started it before'))
    state = s.until(lambda state: len(state.nodes_active) == 5)
    assert state.motion_epoch == 1, 'the startup instruction would begin'
    s.stays(S.INACTIVE)
    assert s.ask('arm').success
    s.mode(S.READY)


def test_a_node_that_is_started_again_during_the_bring_up_leaves_arming_to_the_operator(scene):
    s = scene(robot_options={'inference': {'configure_error': 'no model'}})
    s.until(lambda state: any('no model' in text for text in state.nodes_missing))
    diagnostics = s.probe.publisher(DiagnosticArray, '/diagnostics', 10)
    s.probe.wait_for_subscriber(diagnostics)
    s.robot.nodes['inference'].configure_error = ''
    for pid in ('100', '200'):
        values = [KeyValue(key='pid', value=pid)]
        status = DiagnosticStatus(name='inference: lifecycle', values=values)
        diagnostics.publish(DiagnosticArray(status=[status]))
    s.until(lambda state: len(state.nodes_active) == 5)
    s.stays(S.INACTIVE)
    assert s.ask('arm').success
    s.mode(S.READY)
