# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node: topics as they are found, latched ones too, losses counted, a bad disk reported."""

import json

import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_common import qos
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_monitor.node import Recorder
from vla_monitor.recording.bag_reader import BagReader


@pytest.fixture
def rig(ros, tmp_path):
    def start(**given):
        values = {'directory': str(tmp_path / 'sessions'), 'min_free': 0.0, **given}
        node = ros.active_node(Recorder, **values)
        return node, ros.probe()

    return start


def ended(ros, node):
    recording = node._recording
    ros.deactivate(node)
    assert recording.finished(60.0)
    return recording.folder


def test_it_records_all_topics_with_times_and_latched_messages(ros, rig):
    node, probe = rig()
    latched = probe.publisher(String, '/robot_description', qos.LATCHED)
    latched.publish(String(data='<robot/>'))  # before the recorder subscribes
    joints = probe.publisher(JointState, '/joint_states', qos.STATE)
    users = probe.publisher(String, '/users_topic', qos.EVENT)
    for publisher in (joints, users, latched):
        probe.wait_for_subscriber(publisher)
    for i in range(50):
        message = JointState(name=['a'], position=[float(i)])
        message.header.stamp.sec = i + 1
        joints.publish(message)
    users.publish(String(data='mine'))
    recording = node._recording
    counts = recording.counts
    wait_until(lambda: counts.received['/joint_states'] + counts.lost['/joint_states'] == 50)
    wait_until(lambda: counts.received['/users_topic'] == 1)
    wait_until(lambda: counts.received['/robot_description'] == 1)
    folder = ended(ros, node)
    found = list(BagReader(folder).messages())
    assert counts.lost['/joint_states'] == 0
    assert sum(m.topic == '/joint_states' for m in found) == 50
    assert [m.type for m in found if m.topic == '/users_topic'] == ['std_msgs/msg/String']
    times = [m.log_ns for m in found if m.topic == '/joint_states']
    assert times == sorted(times)
    assert abs(times[0] - recording.start_ns) < 60e9
    description = json.loads((folder / 'session.json').read_text())
    assert len(description['fingerprints']['code']['vla_monitor']) == 64
    assert len(description['fingerprints']['robot']['sha256']) == 64
    assert json.loads((folder / 'summary.json').read_text())['complete']


def test_a_second_activation_is_a_second_session(ros, rig, tmp_path):
    node, _ = rig()
    first = ended(ros, node)
    ros.activate(node)
    assert node._recording is not None
    assert ended(ros, node) != first


def test_excluded_and_hidden_topics_are_left_out(ros, rig):
    node, probe = rig(exclude='/secret.*')
    probe.publisher(String, '/secret/plan', qos.EVENT)
    shown = probe.publisher(String, '/shown', qos.EVENT)
    probe.wait_for_subscriber(shown)
    assert '/secret/plan' not in node._polled_topics
    assert not [name for name in node._polled_topics if '/_' in name]


def test_a_folder_that_cannot_be_made_is_a_warning_and_the_node_stays_active(ros, rig, tmp_path):
    (tmp_path / 'sessions').write_text('a file')
    node = ros.node(Recorder, directory=str(tmp_path / 'sessions' / 'below'), min_free=0.0)
    ros.configure(node)
    ros.activate(node)
    wait_until(lambda: node._recording.problem not in ('', 'not begun'))
    level, text, _ = node.diagnose()
    assert level is Level.WARNING
    assert text.startswith('not recording: ')


@pytest.mark.parametrize(
    ('name', 'value', 'words'),
    [('exclude', '(', 'regular expression'), ('directory', __file__, 'wanted a folder')],
)
def test_a_parameter_that_cannot_be_used_fails_configure(ros, name, value, words):
    node = ros.node(Recorder, **{name: value})
    assert not ros.change(node, 1)
    assert words in node._lifecycle_message[1]
