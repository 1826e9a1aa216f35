# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node: estimates from topics, silence instead of old truths, markers."""

import math
import time

import pytest
from geometry_msgs.msg import WrenchStamped
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu, JointState
from standing import ROBOT, SHIPPED, STANDING
from visualization_msgs.msg import MarkerArray

from vla_balance.node import BalanceMonitor
from vla_common import qos
from vla_common.testing import wait_until
from vla_interfaces.msg import BalanceState


class Robot:
    """Sensors of a robot that stands still; single inputs can be silenced or broken."""

    def __init__(self, probe) -> None:
        self.node = probe.node
        self.silent: set[str] = set()
        self.frozen_stamp = None
        self.pitch = self.turning = 0.0  # rad, rad/s
        self._at = time.monotonic()
        self.bad_joint = False
        self.no_orientation = self.swapped = False
        self.ahead = 0  # s, of the stamps
        self._joints = probe.publisher(JointState, '/joint_states', qos.STATE)
        self._imu = probe.publisher(Imu, '/imu/data', qos.STATE)
        self._feet = {
            side: probe.publisher(WrenchStamped, f'/foot_wrenches/{side}', qos.STATE)
            for side in ('left', 'right')
        }
        self.node.create_timer(0.01, self._publish)
        for publisher in (self._joints, self._imu, *self._feet.values()):
            probe.wait_for_subscriber(publisher)

    def _publish(self) -> None:
        stamp = self.frozen_stamp or self.node.get_clock().now().to_msg()
        if 'joints' not in self.silent:
            position = STANDING.tolist()
            if self.bad_joint:
                position[4] = math.nan
            message = JointState(
                name=list(ROBOT.joint_names), position=position, velocity=[0.0] * ROBOT.n
            )
            message.header.stamp = stamp
            self._joints.publish(message)
        if 'imu' not in self.silent:
            imu = Imu()
            imu.header.stamp.sec = stamp.sec + self.ahead
            imu.header.stamp.nanosec = stamp.nanosec
            if self.no_orientation:
                imu.orientation_covariance[0] = -1.0
            elapsed, self._at = time.monotonic() - self._at, time.monotonic()
            self.pitch += elapsed * self.turning
            imu.angular_velocity.y = self.turning
            imu.orientation.w = math.cos(self.pitch / 2)
            imu.orientation.y = math.sin(self.pitch / 2)
            if self.swapped:
                imu.orientation.x, imu.orientation.w = 1.0, 0.0
            self._imu.publish(imu)
        for side, publisher in self._feet.items():
            if side not in self.silent:
                wrench = WrenchStamped()
                wrench.header.stamp = stamp
                wrench.wrench.force.z = 260.0
                publisher.publish(wrench)


@pytest.fixture
def rig(ros):
    given = {name: value for name, value in SHIPPED.items() if name != 'input_timeout'}
    # Ten times the shipped timeout: a crowded test machine is no blind monitor.
    node = ros.node(BalanceMonitor, input_timeout=0.5, **given)
    probe = ros.probe()
    node.states = probe.subscribe(BalanceState, '/balance/state', qos.STATE)
    ros.configure(node)
    ros.activate(node)
    return node, Robot(probe), probe


def test_it_reports_a_standing_robot_as_safe_and_counts_up(rig):
    node, _, _ = rig
    messages = node.states.wait(20)
    # The probe's reader keeps one message: on a busy machine it may miss some.
    counts = [m.sequence for m in messages]
    assert counts == sorted(set(counts))
    last = messages[-1]
    assert (last.level, last.cause, last.falling, last.fallen) == (0, '', False, False)
    assert last.header.frame_id == 'support'
    assert len(last.support_polygon) == 4
    assert last.margin > 0.05
    assert last.base_height == pytest.approx(0.777, abs=0.01)


def test_what_is_serialised_in_place_is_the_whole_message(rig):
    node, _, _ = rig
    node.states.wait(1)
    estimate, verdict = node._estimate, node._verdict
    for _ in range(2):
        ours = deserialize_message(node._serialize(estimate, verdict), BalanceState)
        whole = node._message(estimate, verdict)
        for message in (ours, whole):
            message.header.stamp.sec = message.header.stamp.nanosec = message.sequence = 0
        assert ours == whole


def test_a_tilted_robot_is_an_emergency_with_its_cause(rig):
    node, robot, _ = rig
    node.states.wait(1)
    robot.turning = 1.0  # it falls: the orientation turns as the gyroscope measures
    message = node.states.wait_for(
        lambda m: any(v.kind == 'tilt' and v.limit == 0.5 for v in m.violations)
    )
    assert message.level == 3


def blind_ticks_more_than(node, count):
    """Returns after as many skipped ticks from now on; there may have been some before."""
    before = node._skipped_ticks
    wait_until(lambda: node._skipped_ticks > before + count, what='skipped ticks')


@pytest.mark.parametrize('lost', ['joints', 'imu', 'left'])
def test_without_one_of_its_inputs_it_falls_silent_and_comes_back(rig, lost):
    node, robot, _ = rig
    node.states.wait(1)
    robot.silent.add(lost)
    topic = {'joints': '/joint_states', 'imu': '/imu/data', 'left': '/foot_wrenches/left'}[lost]
    wait_until(lambda: node._missing(time.monotonic()) == [topic], what=f'{topic} to be missed')
    blind_ticks_more_than(node, 1)
    last, ticks = node._sequence, node._skipped_ticks
    wait_until(lambda: node._skipped_ticks > ticks + 10, what='more skipped ticks')
    assert node._sequence == last, 'it published without one of its inputs'
    robot.silent.clear()
    node.states.wait_for(lambda m: m.sequence > last)


def test_repeated_stamps_are_no_new_input(rig):
    node, robot, _ = rig
    node.states.wait(1)
    robot.frozen_stamp = robot.node.get_clock().now().to_msg()
    blind_ticks_more_than(node, 5)


def test_an_imu_without_orientation_is_a_danger_by_name_and_no_fall(rig):
    node, robot, _ = rig
    node.states.wait(1)
    robot.no_orientation = True
    message = node.states.wait_for(lambda m: m.cause == 'imu_disagreement')
    assert message.level == 2
    assert [v.kind for v in message.violations] == ['imu_disagreement']
    assert not (message.falling or message.fallen)
    assert node.diagnose()[2]['imu'] == 'the IMU reports that it has no orientation'


def test_a_quaternion_in_another_order_is_a_danger_by_name_and_no_fall(rig):
    node, robot, _ = rig
    node.states.wait(1)
    robot.swapped = True
    message = node.states.wait_for(lambda m: m.cause == 'imu_disagreement')
    assert message.level == 2
    assert not (message.falling or message.fallen)
    assert 'w, x, y, z order (wanted x, y, z, w)' in node.diagnose()[2]['imu']


def test_a_stamp_of_the_future_does_not_block_the_good_ones_after_it(rig):
    node, robot, _ = rig
    node.states.wait(1)
    robot.ahead = 3600
    wait_until(lambda: node._watchdogs['/imu/data'].replayed > 2, what='rejected stamps')
    robot.ahead = 0
    last = node._sequence
    node.states.wait_for(lambda m: m.sequence > last)


def test_a_not_finite_joint_is_no_input(rig):
    node, robot, _ = rig
    node.states.wait(1)
    robot.bad_joint = True
    wait_until(lambda: node._rejected['/joint_states'] > 0, what='a rejected message')
    blind_ticks_more_than(node, 5)
    assert all(math.isfinite(m.margin) for m in node.states.messages)


def test_markers_show_polygon_and_points_in_the_bases_frame(rig):
    _, _, probe = rig
    markers = probe.subscribe(MarkerArray, '/balance/markers', qos.STATE)
    polygon, com, capture, _ = markers.wait(1)[0].markers
    assert {m.header.frame_id for m in (polygon, com, capture)} == {'base_link'}
    assert len(polygon.points) == 5
    assert polygon.points[0].z == pytest.approx(-0.777, abs=0.01)
    assert com.pose.position.z == pytest.approx(0.03, abs=0.02)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'tilt_warning': 0.45}, 'tilt_warning <= tilt_danger'),
        ({'contact_force': -5.0}, 'contact_force: found -5.0'),
        ({'robot': 'humanoid33'}, 'humanoid33'),
    ],
)
def test_a_bad_parameter_fails_configure_with_its_name(ros, change, words):
    node = ros.node(BalanceMonitor, **(SHIPPED | change))
    with pytest.raises(AssertionError, match='configure failed'):
        ros.configure(node)
    assert words in node._lifecycle_message[1]


@pytest.mark.parametrize('missing', [n for n in SHIPPED if n not in ('robot', 'rate')])
def test_no_safety_parameter_has_a_default(missing):
    from vla_common.errors import ConfigError
    from vla_common.parameters import ParameterSchema

    given = {name: value for name, value in SHIPPED.items() if name != missing}
    with pytest.raises(ConfigError, match=f'{missing}: found nothing'):
        ParameterSchema.load('vla_balance').defaults(**given)
