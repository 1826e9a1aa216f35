# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node monitor as other programs see it."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Imu, JointState
from tf2_msgs.msg import TFMessage

from vla_common import qos
from vla_common.testing import wait_until
from vla_interfaces.msg import WorldState
from vla_monitor.monitor.node import Monitor
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
TF_QOS = QoSProfile(depth=100)
"""Of tf2_ros' listener; for /tf_static with transient local durability."""


@pytest.fixture
def probe(ros):
    return ros.probe()


class Filter(Node):
    """Has the safety filter's parameters, as read by other nodes."""

    def __init__(self, **options):
        super().__init__('safety_filter', **options)
        self.declare_parameter('workspace.lower', [-1.0, -2.0, -3.0])
        self.declare_parameter('workspace.upper', [1.0, 2.0, 3.0])


def joints(position=ROBOT.poses['standing'], names=ROBOT.joint_names, sec=7):
    message = JointState(name=list(names), position=np.asarray(position, dtype=float).tolist())
    message.header.stamp.sec = sec
    return message


def test_late_listeners_get_the_static_tree_and_the_moving_one_by_the_joint_states(ros, probe):
    node = ros.active_node(Monitor, robot='humanoid32')
    latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    static = probe.subscribe(TFMessage, '/tf_static', latched)
    moving = probe.subscribe(TFMessage, '/tf', TF_QOS)
    states = probe.publisher(JointState, '/joint_states', qos.STATE)
    static.wait(1)
    wait_until(lambda: states.publish(joints()) or moving.messages)

    edges = {t.child_frame_id: t for m in (static, moving) for t in m.messages[-1].transforms}
    assert {ROBOT.frames['base'], *ROBOT.frames.values()} <= set(edges)
    assert set(ROBOT.frames) - {'base'} <= set(edges), 'frames as messages name them'
    assert edges['base_link'].header.frame_id == 'world'
    assert edges['base_link'].transform.translation.z == pytest.approx(0.777, abs=0.005)
    assert {t.header.stamp.sec for t in moving.messages[-1].transforms} == {7}
    for child in edges:
        seen = set()
        while child != 'world':
            assert child not in seen
            seen.add(child)
            child = edges[child].header.frame_id
    assert node.diagnose()[2]['base_pose'] == 'feet, without orientation'


def test_the_base_follows_the_imu_and_then_the_simulator(ros, probe):
    node = ros.active_node(Monitor, robot='humanoid32')
    moving = probe.subscribe(TFMessage, '/tf', TF_QOS)
    states = probe.publisher(JointState, '/joint_states', qos.STATE)
    imu = probe.publisher(Imu, '/imu/data', qos.STATE)
    world = probe.publisher(WorldState, '/sim/world_state', qos.STATE)

    def based_on(source):
        states.publish(joints())
        return node.diagnose()[2]['base_pose'] == source

    def x_of_base():
        return moving.messages[-1].transforms[0].transform.translation.x if len(moving) else None

    orientation = Imu()
    orientation.orientation.x, orientation.orientation.w = 0.6, 0.8
    wait_until(lambda: imu.publish(orientation) or based_on('IMU and feet'))
    truth = WorldState(qpos=[1.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0, *np.zeros(32)])
    wait_until(lambda: world.publish(truth) or (based_on('simulator') and x_of_base() == 1.0))


@pytest.mark.parametrize(
    ('bad', 'why'),
    [
        (joints(names=['other'], position=[0.0]), 'missing joints'),
        (joints(position=np.full(32, np.nan)), 'not finite'),
    ],
)
def test_a_joint_state_that_cannot_be_used_is_dropped_counted_and_reported(ros, probe, bad, why):
    node = ros.active_node(Monitor, robot='humanoid32')
    moving = probe.subscribe(TFMessage, '/tf', TF_QOS)
    states = probe.publisher(JointState, '/joint_states', qos.STATE)
    wait_until(lambda: states.publish(bad) or node.diagnose()[2].get('dropped /joint_states'))
    assert node.diagnose()[1] == 'messages dropped: /joint_states'
    assert not moving.messages


def test_nothing_is_computed_while_nobody_subscribes(ros, probe):
    node = ros.active_node(Monitor, robot='humanoid32')
    states = probe.publisher(JointState, '/joint_states', qos.STATE)
    probe.wait_for_subscriber(states)
    states.publish(joints(sec=1))
    later = probe.subscribe(TFMessage, '/tf', TF_QOS)
    wait_until(lambda: states.publish(joints(sec=2)) or later.messages)
    assert node.diagnose()[2]['tf_published'] == str(len(later.messages))


def test_tf_rate_0_publishes_no_transforms(ros, probe):
    ros.active_node(Monitor, robot='humanoid32', tf_rate=0.0)
    wait_until(lambda: 'monitor' in probe.node.get_node_names())
    assert not probe.node.count_publishers('/tf')
    assert not probe.node.count_publishers('/tf_static')


def test_markers_show_the_workspace_in_force_and_the_nearest_pair(ros, probe):
    from visualization_msgs.msg import MarkerArray

    ros.node(Filter)
    ros.active_node(Monitor, robot='humanoid32')
    markers = probe.subscribe(MarkerArray, '/monitor/markers', qos.STATE)
    states = probe.publisher(JointState, '/joint_states', qos.STATE)
    wait_until(
        lambda: states.publish(joints()) or (len(markers) and len(markers.last.markers) == 3)
    )
    box, line, text = markers.last.markers
    assert (box.ns, line.ns, text.ns) == ('workspace', 'nearest_pair', 'nearest_pair')
    assert {m.header.frame_id for m in markers.last.markers} == {ROBOT.frames['base']}
    assert len(box.points) == 24
    assert {abs(p.z) for p in box.points} == {3.0}
    kinematics = ROBOT.kinematics()
    kinematics.update(ROBOT.poses['standing'])
    smallest = kinematics.distances().min()
    ends = [np.array([p.x, p.y, p.z]) for p in line.points]
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(smallest, abs=1e-6)
    assert text.text.endswith(f'{1000 * smallest:.0f} mm')


def test_diagnostics_come_by_group_and_a_dead_node_is_stale(ros, probe, tmp_path):
    file = tmp_path / 'diagnostics.yaml'
    file.write_text("""
analyzers:
  ros__parameters:
    path: Robot
    pub_rate: 10.0
    arms: {type: diagnostic_aggregator/GenericAnalyzer, path: Arms, startswith: [arm], timeout: 1.0}
    own: {type: diagnostic_aggregator/GenericAnalyzer, path: Own, contains: [''], timeout: 0.0}
""")
    ros.active_node(Monitor, robot='humanoid32', analyzers=str(file))
    groups = probe.subscribe(DiagnosticArray, '/diagnostics_agg', qos.STATE)
    top = probe.subscribe(DiagnosticStatus, '/diagnostics_toplevel_state', qos.STATE)
    out = probe.publisher(DiagnosticArray, '/diagnostics', qos.EVENT)
    arm = DiagnosticStatus(name='arm: motor', level=DiagnosticStatus.WARN, message='hot')

    def level_of_arms():
        return {s.name: s.level for s in groups.last.status}['/Robot/Arms'] if groups else None

    wait_until(
        lambda: (
            out.publish(DiagnosticArray(status=[arm])) or level_of_arms() == DiagnosticStatus.WARN
        )
    )
    wait_until(lambda: level_of_arms() == DiagnosticStatus.STALE)
    wait_until(lambda: top.last.level == DiagnosticStatus.ERROR)
