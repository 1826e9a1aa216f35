# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`subscribe_fields` and `poll` against a real middleware."""

import time

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from vla_common import qos
from vla_common.clock import steady_now
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
    monkeypatch.setattr(ParameterSchema, 'load', lambda *names: ParameterSchema.from_file(path))


class Listener(VlaLifecycleNode):
    def __init__(self, **options):
        super().__init__('listener', 'vla_common', **options)
        self.received = []

    def setup(self):
        self.subscribe_fields(RECEIVED, FIELDS, self.on_joints)
        self.latest = self.poll(TAKEN, FIELDS)

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
    assert newest.newest() is None
    wait_until(lambda: out.publish(joints(1.0, 2.0)) or newest.newest())
    for i in range(5):
        out.publish(joints(float(i), 2.0))

    def taken():
        out.publish(joints(7.0, 8.0))
        values = newest.newest()
        return values is not None and values[1].tolist() == [7.0, 8.0]

    wait_until(taken)
    assert newest.reader.read_in_full == 1


def taken_all(polled):
    return [(position.tolist()[0], polled.arrived) for _, position in polled.all()]


def test_all_messages_are_taken_in_order_each_with_the_time_of_its_reception(ros, listener):
    out = publisher(ros, '/taken')
    polled = listener.latest
    wait_until(lambda: out.publish(joints(0.0, 0.0)) or polled.newest())
    time.sleep(0.1)
    polled.discard()
    begin = steady_now()
    for i in range(4):
        out.publish(joints(float(i), 0.0))
        time.sleep(0.05)
    taken = taken_all(polled)
    assert [number for number, _ in taken] == [0.0, 1.0, 2.0, 3.0]
    times = [arrived for _, arrived in taken]
    assert times == sorted(times)
    assert begin <= times[0] and times[-1] <= steady_now()
    assert times[-1] - times[0] >= 0.1, 'the time of the poll, not of the reception'
    assert taken_all(polled) == []


def test_a_jump_of_the_system_clock_moves_no_reception_beyond_the_two_polls(
    ros, listener, monkeypatch
):
    out = publisher(ros, '/taken')
    polled = listener.latest
    wait_until(lambda: out.publish(joints(0.0, 0.0)) or polled.newest())
    for jump_ns in (3600 * 10**9, -3600 * 10**9):
        time.sleep(0.1)
        polled.discard()
        before = steady_now()
        out.publish(joints(1.0, 0.0))
        time.sleep(0.1)
        real = time.time_ns
        monkeypatch.setattr(time, 'time_ns', lambda: real() + jump_ns)  # noqa: B023
        values = polled.newest()
        monkeypatch.undo()
        assert values is not None
        assert before - 0.01 <= polled.arrived <= steady_now()


def test_what_came_before_the_activation_is_not_taken_after_it(ros, listener):
    out = publisher(ros, '/taken')
    polled = listener.latest
    wait_until(lambda: out.publish(joints(0.0, 0.0)) or polled.newest())
    assert listener.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    out.publish(joints(1.0, 0.0))
    time.sleep(0.1)
    assert listener.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert polled.newest() is None


def test_the_executor_is_not_woken_by_a_polled_topic(ros, listener):
    names = [subscription.topic_name for subscription in listener.subscriptions]
    assert '/received' in names
    assert '/taken' not in names


def test_an_invalid_message_is_counted_when_it_is_taken_and_the_next_one_read(ros, listener):
    out = publisher(ros, '/taken')
    newest = listener.latest

    def rejected():
        out.publish(b'\0\1\0\0abc')
        assert newest.newest() is None
        return listener.callback_errors

    wait_until(rejected)

    def taken():
        out.publish(joints(1.0, 2.0))
        values = newest.newest()
        return values is not None and values[1].tolist() == [1.0, 2.0]

    wait_until(taken)
