# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`subscribe_fields` and `subscribe_latest` against a real middleware."""

import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from vla_common import qos
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.parameters import ParameterSchema
from vla_common.testing import wait_until
from vla_common.topics import Topic

FIELDS = ('name', 'position')
RECEIVED = Topic('/received', 'sensor_msgs/msg/JointState', '', '', qos='EVENT')
TAKEN = Topic('/taken', 'sensor_msgs/msg/JointState', '', '', qos='EVENT')


@pytest.fixture(autouse=True)
def schema(tmp_path, monkeypatch):
    path = tmp_path / 'parameters.yaml'
    path.write_text('{}\n')
    monkeypatch.setattr(ParameterSchema, 'load', lambda package: ParameterSchema.from_file(path))


class Listener(VlaLifecycleNode):
    def __init__(self, **options):
        super().__init__('listener', 'vla_common', **options)
        self.received = []

    def setup(self):
        self.subscribe_fields(RECEIVED, FIELDS, self.on_joints)
        self.latest = self.subscribe_latest(TAKEN, FIELDS)

    def on_joints(self, name, position):
        self.received.append((name, position.tolist()))


@pytest.fixture
def listener(ros):
    node = ros.active_node(Listener)
    return node


def publisher(ros, topic):
    probe = ros.probe()
    out = probe.publisher(JointState, topic, qos.EVENT)
    probe.wait_for_subscriber(out)
    return out


def joints(*position):
    return JointState(name=['a', 'b'], position=position)


def test_messages_and_serialized_ones_are_received_alike(ros, listener):
    out = publisher(ros, '/received')
    sent = [joints(1.0, 2.0), serialize_message(joints(3.0, 4.0))]
    for message in sent:
        wait_until(lambda message=message: out.publish(message) or listener.received)
    wait_until(lambda: out.publish(sent[1]) or listener.received[-1] == (['a', 'b'], [3.0, 4.0]))
    assert (['a', 'b'], [1.0, 2.0]) in listener.received
    assert listener.callback_errors == 0


def test_an_invalid_message_is_counted_and_the_next_one_received(ros, listener):
    out = publisher(ros, '/received')
    wait_until(lambda: out.publish(joints(1.0, 2.0)) or listener.received)
    wait_until(
        lambda: out.publish(serialize_message(joints(1.0, 2.0))[:50]) or listener.callback_errors
    )
    wait_until(lambda: out.publish(joints(5.0, 6.0)) or listener.received[-1][1] == [5.0, 6.0])


def test_the_newest_message_is_taken_once(ros, listener):
    out = publisher(ros, '/taken')
    newest = listener.latest
    assert newest.take() is None
    wait_until(lambda: out.publish(joints(1.0, 2.0)) or newest.arrived > 0.0)
    before = newest.arrived
    for i in range(5):
        out.publish(joints(float(i), 2.0))
    wait_until(lambda: out.publish(joints(7.0, 8.0)) or newest.arrived > before)

    def taken():
        out.publish(joints(7.0, 8.0))
        values = newest.take()
        return values is not None and values[1].tolist() == [7.0, 8.0]

    wait_until(taken)
    assert newest.reader.read_in_full == 1


def test_an_invalid_message_is_counted_when_it_is_taken_and_the_next_one_read(ros, listener):
    out = publisher(ros, '/taken')
    newest = listener.latest

    def rejected():
        out.publish(b'\0\1\0\0abc')
        assert newest.take() is None
        return listener.callback_errors

    wait_until(rejected)

    def taken():
        out.publish(joints(1.0, 2.0))
        values = newest.take()
        return values is not None and values[1].tolist() == [1.0, 2.0]

    wait_until(taken)
