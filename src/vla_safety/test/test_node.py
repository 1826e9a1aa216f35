# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node on real topics; the test plays supervisor, driver and policy."""

import threading
import time

import numpy as np
import pytest
import yaml
from conftest import CONFIG
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common import qos
from vla_common.clock import Pacer, steady_now
from vla_common.messages import ns_to_stamp, seconds_to_duration, stamp_to_ns
from vla_common.parameters import flatten
from vla_common.testing import wait_until
from vla_interfaces.msg import (
    CarriedObject,
    CarriedObjects,
    GripperCommand,
    KnownObstacle,
    KnownObstacles,
    ObstacleShape,
    SafetyStatus,
    SupervisorState,
)
from vla_robot import load_robot
from vla_safety.node import SafetyFilterNode
from vla_safety.violations import ViolationKind, violation

ROBOT = load_robot('humanoid32')
ELBOW = ROBOT.index['left_elbow']


def settings(**changes):
    values = flatten(yaml.safe_load(CONFIG.read_text())['safety_filter']['ros__parameters'])
    values |= {name.replace('__', '.'): value for name, value in changes.items()}
    return {name.replace('.', '__'): value for name, value in values.items() if value is not None}


class Robot:
    """Supervisor and driver, publishing from a thread; joints follow /joint_command exactly."""

    def __init__(self, ros) -> None:
        self.ros = ros
        self.probe = ros.probe()
        self.position = ROBOT.poses['standing'].copy()
        self.mode, self.epoch, self.sequence = SupervisorState.READY, 1, 0
        self.silent: set[str] = set()
        self._last_ns = 0
        publisher = self.probe.publisher
        self._state = publisher(SupervisorState, '/supervisor/state', qos.STATE)
        self._joints = publisher(JointState, '/joint_states', qos.STATE)
        self._reference = publisher(JointState, '/hardware/joint_reference', qos.STATE)
        self._chunk = publisher(JointTrajectory, '/vla/action_chunk', qos.COMMAND)
        self.commands = self.probe.subscribe(JointState, '/joint_command', qos.COMMAND)
        self.status = self.probe.subscribe(SafetyStatus, '/safety/status', qos.STATE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def stamp(self) -> int:
        self._last_ns = max(self._last_ns + 1, self.probe.node.get_clock().now().nanoseconds)
        return self._last_ns

    def begin(self):
        # The longest that the schema allows: this process plays every other node too, and a busy
        # machine may stop it for 100 ms. What happens at the timeout is the same.
        patient = settings(timeouts__state=0.5, timeouts__supervisor=0.5, timeouts__reference=0.5)
        self.node = self.ros.node(SafetyFilterNode, **patient)
        self._thread.start()
        self.ros.configure(self.node)
        self.ros.activate(self.node)
        self.probe.wait_for_subscriber(self._chunk)
        self.status.wait_for(lambda m: m.reason == 'mode READY')
        return self

    def _loop(self) -> None:
        while not self._stop.wait(0.01):
            if self.mode == SupervisorState.RUNNING and len(self.commands):
                self.position = np.array(self.commands.last.position)
            zeros = [0.0] * ROBOT.n
            for name, publisher in (('joints', self._joints), ('reference', self._reference)):
                if name not in self.silent:
                    message = JointState(name=list(ROBOT.joint_names), velocity=zeros)
                    message.header.stamp = ns_to_stamp(self.stamp())
                    message.position = self.position.tolist()
                    publisher.publish(message)
            if 'supervisor' not in self.silent:
                self.sequence += 1
                state = SupervisorState(mode=self.mode, motion_epoch=self.epoch, speed_scale=1.0)
                state.sequence = self.sequence
                state.header.stamp = ns_to_stamp(self.stamp())
                self._state.publish(state)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def run(self) -> None:
        self.mode = SupervisorState.RUNNING
        self.wait_state(SafetyStatus.NO_CHUNK)

    def wait_state(self, state, timeout=10.0):
        self.status.clear()
        return self.status.wait_for(lambda message: message.state == state, timeout)

    def chunk(self, names=('left_elbow',), step=-0.05, stamp=None) -> JointTrajectory:
        message = JointTrajectory(joint_names=list(names))
        message.header.stamp = ns_to_stamp(self.stamp() if stamp is None else stamp)
        for i in range(16):
            point = JointTrajectoryPoint(time_from_start=seconds_to_duration((i + 1) * 0.1))
            point.positions = [float(self.position[ELBOW] + step * (i + 1))] * len(names)
            message.points.append(point)
        return message

    def track(self, **chunk):
        """Send chunks until one is tracked: on a busy machine one may come too late."""
        for attempt in range(5):
            self.status.clear()
            self.send(self.chunk(**chunk))
            try:
                return self.status.wait_for(lambda m: m.state == SafetyStatus.TRACKING, 3.0)
            except AssertionError:
                if attempt == 4:
                    raise

    def send(self, message) -> None:
        self._chunk.publish(message)


@pytest.fixture
def robot(ros):
    robot = Robot(ros)
    yield robot
    robot.end()


@pytest.fixture
def running(robot):
    robot.begin()
    robot.run()
    return robot


def test_a_chunk_moves_the_joint_smoothly_and_its_end_brings_it_to_rest(running):
    first = running.commands.last
    assert first.name == list(ROBOT.joint_names)
    assert len(first.position) == len(first.velocity) == len(first.effort) == ROBOT.n
    legs = ROBOT.groups['legs']
    assert not np.array(first.effort)[legs].any()
    assert np.abs(first.effort).max() > 0.1, 'gravity of the upper body is fed forward'
    running.commands.clear()
    start = running.position[ELBOW]
    status = running.track()
    assert status.chunks_accepted >= 1
    assert status.horizon_left > 1.0
    assert 0.0 <= status.chunk_age < 0.5
    assert status.interpolation == 'minimum_jerk'
    assert status.playback_rate == status.speed_scale == 1.0
    assert status.playback_time + status.horizon_left == pytest.approx(1.6)
    tracked = stamp_to_ns(status.header.stamp) - stamp_to_ns(status.chunk_stamp)
    assert tracked * 1e-9 == pytest.approx(status.chunk_age, abs=0.02)
    status = running.wait_state(SafetyStatus.NO_CHUNK)
    assert status.reason == 'chunk horizon ended'
    elbow = np.array([message.position[ELBOW] for message in running.commands.messages])
    stamps = np.array([stamp_to_ns(m.header.stamp) for m in running.commands.messages]) * 1e-9
    assert start - 0.95 < elbow[-1] < start - 0.7
    assert (np.diff(stamps) > 0).all(), 'stamps are the sequence of a command'
    # Position steps bounded by what the velocity limit allows in the longest period.
    assert np.abs(np.diff(elbow)).max() <= ROBOT.limits.velocity[ELBOW] * 0.03 + 1e-9


def counters(message) -> dict[str, int]:
    return dict(zip(message.counter_names, message.counter_values, strict=True))


def test_malformed_chunks_are_counted_and_named_and_stop_the_motion(running):
    # Waits on counters and reasons, which stay: a violation is listed in one message only, and a
    # busy machine may lose that one.
    running.track()
    nan = running.chunk()
    nan.points[3].positions = [float('nan')]
    running.send(nan)
    named = 'chunk rejected: not_finite left_elbow'
    running.status.wait_for(
        lambda m: m.chunks_rejected == 1 and m.level == 2 and m.reason.startswith(named)
    )
    running.wait_state(SafetyStatus.NO_CHUNK)
    unknown = running.chunk(names=('left_elbow', 'tail' * 10_000))
    ragged = running.chunk()
    ragged.points[2].positions = [0.1, 0.2]
    empty = running.chunk()
    empty.points = []
    long = running.chunk()
    long.points *= 600
    whole = serialize_message(running.chunk())
    unreadable = whole[: len(whole) // 2]
    for number, message in enumerate((unknown, ragged, empty, long, unreadable), start=2):
        running.send(message)
        status = running.status.wait_for(lambda m, number=number: m.chunks_rejected == number)
        assert len(status.reason) < 200
    counted = counters(running.status.last)
    assert counted['not_finite'] == counted['unknown_joint'] == counted['too_long'] == 1
    assert counted['wrong_shape'] == 3
    assert running.node.callback_errors == 0


def test_a_chunk_beyond_a_limit_is_listed_joint_value_and_limit_and_not_followed(running):
    upper = ROBOT.limits.upper[ELBOW] - ROBOT.soft_margin[ELBOW]
    running.track(step=0.04)  # for most of its 1.6 s beyond the limit
    status = running.status.wait_for(lambda m: any(v.kind == 'position' for v in m.violations))
    listed = next(v for v in status.violations if v.kind == 'position')
    assert listed.subject == 'left_elbow'
    assert listed.value > listed.limit == pytest.approx(upper)
    assert listed.level == 1
    status = running.wait_state(SafetyStatus.NO_CHUNK)
    assert counters(status)['position'] > 0
    assert status.interventions > 0
    assert max(m.position[ELBOW] for m in running.commands.messages) <= upper + 1e-9


def test_nothing_moves_before_running_and_an_epoch_flushes(robot):
    robot.begin()
    # Sent while not allowed: dropped. The sentinel is a malformed chunk of the same topic that,
    # once RUNNING, is counted; by then the first was long seen.
    early = robot.chunk()
    robot.send(early)
    robot.run()
    sentinel = robot.chunk(names=('tail',))
    robot.send(sentinel)
    status = robot.status.wait_for(lambda m: m.chunks_rejected == 1)
    assert status.chunks_accepted == 0
    assert status.state == SafetyStatus.NO_CHUNK
    robot.send(early)  # and now, in RUNNING: its observation is from before
    robot.send(robot.chunk(names=('tail',)))
    status = robot.status.wait_for(lambda m: m.chunks_rejected == 2)
    assert status.chunks_accepted == 0
    robot.track()
    robot.epoch += 1
    robot.wait_state(SafetyStatus.NO_CHUNK)
    rest = robot.commands.last.position[ELBOW]
    robot.send(robot.chunk(names=('tail',)))
    robot.status.wait_for(lambda m: m.chunks_rejected == 3)
    assert robot.commands.last.position[ELBOW] == pytest.approx(rest, abs=1e-6)


def test_a_silent_supervisor_and_silent_joints_brake_the_motion(running):
    running.track()
    running.silent = {'joints'}
    running.status.wait_for(lambda m: m.reason.startswith('state_stale'))
    assert running.wait_state(SafetyStatus.NO_CHUNK).level == 2
    running.silent = set()
    running.status.wait_for(lambda m: m.level == 0)
    running.track()
    running.silent = {'supervisor'}
    status = running.wait_state(SafetyStatus.GATED)
    assert status.reason == 'supervisor silent'
    assert not any(running.commands.last.velocity)


def test_a_mode_that_does_not_exist_is_counted_and_ends_the_motion(running):
    running.track()
    running.mode = 99
    assert running.wait_state(SafetyStatus.GATED).reason == 'supervisor silent'
    values = running.node.diagnose()[2]
    assert int(values['unreadable_readings']) > 0
    assert values['last_unreadable'] == '/supervisor/state: mode 99'
    assert running.node.callback_errors == 0


def test_deactivated_it_is_silent_and_comes_back_without_the_old_motion(running):
    running.track()
    running.ros.deactivate(running.node)
    running.ros.activate(running.node)
    running.status.wait_for(lambda m: m.reason == 'mode RUNNING began before the filter was active')
    accepted = running.status.last.chunks_accepted
    running.send(running.chunk())
    running.mode = SupervisorState.READY
    running.status.wait_for(lambda m: m.reason == 'mode READY')
    running.run()
    running.send(running.chunk(names=('tail',)))  # the sentinel: the one before it was seen
    status = running.status.wait_for(lambda m: m.chunks_rejected >= 1)
    assert status.chunks_accepted == accepted, 'none after the activation'


def test_the_status_says_how_long_a_limit_held_the_motion_and_which(running):
    hold = running.node._filter.core.hold
    hold.update(0.5, violation(ViolationKind.POWER), 0.25)
    hold.update(0.0, violation(ViolationKind.COLLISION, 'palm-table'), 0.5)
    status = running.status.wait_for(lambda m: m.held > 0.0)
    assert (status.slowed, status.held) == (0.75, 0.5)
    assert status.limited_by == 'collision palm-table'


def test_it_ticks_at_its_rate_and_reports_its_state_in_diagnostics(robot):
    robot.begin()
    diagnostics = robot.probe.subscribe(DiagnosticArray, '/diagnostics', 10)
    robot.status.clear()
    begin = time.monotonic()
    robot.status.wait(100)
    assert time.monotonic() - begin < 10.0  # 1 s at 100 Hz; a busy machine may lose messages
    assert robot.status.last.ticks > 0
    assert robot.status.last.tick_ms > 0.0
    sequences = [message.sequence for message in robot.status.messages]
    assert sequences == sorted(set(sequences))

    def ticking(array):
        return any(
            value.key == 'tick_rate_hz' and 'GATED: mode READY' in status.message
            for status in array.status
            for value in status.values
        )

    diagnostics.wait_for(ticking)


WRONG = {
    'robot': ('no_such_robot', 'no_such_robot'),
    'control_frequency': (5.0, 'control_frequency: found 5.0, wanted a finite number from 50'),
    'stage': ('warp', 'stage: found'),
    'interpolation': ('spline', 'interpolation: found'),
    'chunk__max_age': (float('nan'), 'chunk.max_age: found nan'),
    'limits__effort_fraction': (1.5, 'limits.effort_fraction: found 1.5'),
    'period__max': ('long', 'period.max: found'),
    'timeouts__supervisor': (None, 'timeouts.supervisor: found nothing'),
}


@pytest.mark.parametrize('name', WRONG)
def test_a_wrong_parameter_fails_configure_with_its_name_what_was_found_and_wanted(ros, name):
    value, message = WRONG[name]
    node = ros.node(SafetyFilterNode, **settings(**{name: value}))
    assert node.trigger_configure() is TransitionCallbackReturn.FAILURE
    error = node._lifecycle_message[1]
    assert error.startswith('configure failed: ')
    assert message in error
    assert ros.state(node) == 'unconfigured'


def test_the_status_comes_at_half_the_rate_of_the_ticks(running):
    running.wait_state(SafetyStatus.NO_CHUNK)
    running.status.clear()
    running.commands.clear()
    running.commands.wait(100)
    # A busy machine may add changes: a late message and its end.
    assert 40 <= len(running.status) <= 70, len(running.status)


def test_a_change_is_reported_at_once(running):
    running.wait_state(SafetyStatus.NO_CHUNK)
    running.node._status_pacer = Pacer(0.01)
    running.node._status_pacer.due(steady_now())
    assert running.track().reason == ''
    running.status.wait_for(lambda m: m.state == SafetyStatus.NO_CHUNK, 10.0)
    # In between nothing but numbers changed, for 1.6 s.
    assert len(running.status) < 40


def test_a_gripper_command_is_read_and_dropped_while_nothing_may_move(ros):
    node = ros.node(SafetyFilterNode, **settings(robot='panda'))
    probe = ros.probe()
    commands = probe.publisher(GripperCommand, '/gripper/command', qos.COMMAND)
    ros.configure(node)
    ros.activate(node)
    probe.wait_for_subscriber(commands)
    message = GripperCommand(name=['hand'], opening=[0.0])
    message.header.stamp = probe.node.get_clock().now().to_msg()
    commands.publish(message)
    wait_until(lambda: node.diagnose()[2].get('gripper_commands_dropped') == '1')
    assert node.diagnose()[2]['gripper_commands_accepted'] == '0'


def test_obstacles_and_carried_objects_arrive_and_a_bad_message_is_dropped_and_counted(robot):
    robot.begin()
    probe, world = robot.probe, robot.node._filter.world
    obstacles = probe.publisher(KnownObstacles, '/safety/obstacles', qos.EVENT)
    carried = probe.publisher(CarriedObjects, '/safety/carried_objects', qos.LATCHED)
    probe.wait_for_subscriber(obstacles)
    box = KnownObstacle(id='box1', max_speed=0.1)
    box.shape.type, box.shape.dimensions = ObstacleShape.BOX, [0.1, 0.1, 0.1]
    box.pose.position.x, box.pose.orientation.w = 1.0, 1.0
    message = KnownObstacles(obstacles=[box])
    message.header.frame_id, message.header.stamp = 'base', ns_to_stamp(robot.stamp())
    obstacles.publish(message)
    cup = CarriedObject(hand='left_hand', attached=True, id='cup', mass=0.2)
    cup.shape.type, cup.shape.dimensions = ObstacleShape.SPHERE, [0.04]
    cup.pose.orientation.w = 1.0
    held = CarriedObjects(hands=[cup])
    held.header.stamp = ns_to_stamp(robot.stamp())
    carried.publish(held)
    wait_until(lambda: 'box1' in world.obstacles and 'left_hand' in world.carried)
    box.max_speed = float('nan')
    message.header.stamp = ns_to_stamp(robot.stamp())
    obstacles.publish(message)
    wait_until(lambda: world.rejected == 1)
    values = robot.node.diagnose()[2]
    assert values['obstacles'] == '1' and values['carried.left_hand'] == 'cup, 0.2 kg'
    assert values['last_obstacle_message_dropped'] == (
        "obstacles[0] 'box1': max_speed nan m/s, wanted 0 to 10 m/s"
    )
