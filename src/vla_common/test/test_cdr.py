# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading and writing in place agrees with rclpy's own serialiser, whatever comes."""

import struct

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, WrenchStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Imu, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.cdr import Layout, Reader, Writer
from vla_interfaces.msg import BalanceState, Cause, SafetyStatus, SupervisorState, Violation

number = st.floats(width=64)
text = st.text('ab_é\n', max_size=9)  # no zero in it: there a C string ends
stamp = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 10**9 - 1))
header = st.builds(Header, stamp=stamp, frame_id=text)
joint_states = st.builds(
    JointState,
    header=header,
    name=st.lists(text, max_size=5),
    position=st.lists(number, max_size=5),
    velocity=st.lists(number, max_size=5),
    effort=st.lists(number, max_size=5),
)
violations = st.lists(
    st.builds(Violation, kind=text, value=number, level=st.integers(0, 3)), max_size=2
)
balance_states = st.builds(
    BalanceState,
    header=header,
    sequence=st.integers(0, 2**64 - 1),
    cause=text,
    level=st.integers(0, 255),
    tilt=number,
    fallen=st.booleans(),
    support_polygon=st.lists(st.builds(Point, x=number, y=number, z=number), max_size=3),
    violations=violations,
)
safety_statuses = st.builds(
    SafetyStatus,
    header=header,
    reason=text,
    state=st.integers(0, 4),
    violations=violations,
    counter_names=st.lists(text, max_size=3),
    counter_values=st.lists(st.integers(0, 2**32 - 1), max_size=3),
)
supervisor_states = st.builds(
    SupervisorState,
    header=header,
    mode=st.integers(0, 4),
    motion_epoch=st.integers(0, 2**32 - 1),
    armed=st.booleans(),
    causes=st.lists(st.builds(Cause, name=text, present=st.booleans(), since=stamp), max_size=2),
    nodes_active=st.lists(text, max_size=3),
)
CASES = [
    (joint_states, ['header.stamp', 'header.frame_id', 'name', 'position', 'velocity', 'effort']),
    (balance_states, ['tilt', 'header.stamp', 'sequence', 'level', 'cause', 'fallen', 'com']),
    (safety_statuses, ['header.stamp', 'state', 'reason', 'counter_names', 'counter_values']),
    (supervisor_states, ['header.stamp', 'mode', 'armed', 'motion_epoch', 'nodes_active']),
]


def plain(message: object, path: str) -> object:
    """What `Reader` should give for a field, taken from the message that rclpy made."""
    for name in path.split('.') if path else ():
        message = getattr(message, name)
    if isinstance(message, Time):
        return message.sec * 10**9 + message.nanosec
    if isinstance(message, Point):
        return [message.x, message.y, message.z]
    return message


def serialize(message: object) -> bytes:
    """Comparable where == is not: a NaN is not equal to itself."""
    serialized = serialize_message(message)
    return bytes(Layout.of(type(message), serialized).without_padding(serialized))


def same(ours: object, theirs: object) -> bool:
    if isinstance(ours, np.ndarray):
        return np.array_equal(ours, np.asarray(theirs), equal_nan=ours.dtype.kind == 'f')
    if isinstance(ours, float):
        return np.array_equal(ours, theirs, equal_nan=True)
    return ours == theirs and type(ours) is type(theirs)


@pytest.mark.parametrize(('messages', 'fields'), CASES, ids=lambda case: '')
@settings(max_examples=60, deadline=None)
@given(chosen=st.data())
def test_every_field_is_what_rclpy_reads_in_whatever_order_messages_come(
    messages, fields, chosen
) -> None:
    some = chosen.draw(st.lists(messages, min_size=1, max_size=3))
    order = chosen.draw(st.lists(st.integers(0, len(some) - 1), min_size=1, max_size=5))
    reader = Reader(type(some[0]), *fields)
    for i in order:
        serialized = serialize_message(some[i])
        expected = deserialize_message(serialized, type(some[i]))
        for path, value in zip(fields, reader.read(serialized), strict=True):
            assert same(value, plain(expected, path)), path


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(stamp, st.lists(number, min_size=3, max_size=3)), max_size=5))
def test_messages_that_differ_in_numbers_only_are_read_in_full_once(changes) -> None:
    reader = Reader(JointState, 'header.stamp', 'name', 'position')
    message = JointState(name=['a', 'bc', 'def'], position=[0.0, 0.0, 0.0])
    _, names, _ = reader.read(serialize_message(message))
    for when, position in changes:
        message.header.stamp, message.position = when, position
        ns, again, values = reader.read(serialize_message(message))
        assert ns == plain(message, 'header.stamp')
        assert again is names
        assert same(values, position)
    assert reader.read_in_full == 1


@settings(max_examples=60, deadline=None)
@given(joint_states, stamp, st.data())
def test_what_is_written_in_place_is_what_rclpy_would_send(message, when, chosen) -> None:
    writer = Writer(message, 'header.stamp', 'position', 'effort')
    message.header.stamp = when
    for row in (message.position, message.effort):
        row[:] = type(row)('d', [chosen.draw(number) for _ in row])
    written = writer.write(plain(message, 'header.stamp'), message.position, message.effort)
    sent = serialize_message(message)
    # The same but for what rclpy leaves undefined: the filling between fields and after the last.
    assert written == bytes(Layout.of(JointState, sent).without_padding(sent))
    read = deserialize_message(written, JointState)
    assert read.name == message.name
    assert same(np.asarray(read.position), message.position)
    assert same(np.asarray(read.effort), message.effort)
    assert read.header == message.header


def test_a_message_of_numbers_only_is_an_array() -> None:
    message = Imu()
    message.orientation.w, message.orientation.x = 0.5, 0.25
    message.angular_velocity.z = 3.0
    orientation, turning = Reader(Imu, 'orientation', 'angular_velocity').read(
        serialize_message(message)
    )
    assert orientation.tolist() == [0.25, 0.0, 0.0, 0.5]
    assert turning.tolist() == [0.0, 0.0, 3.0]
    message = WrenchStamped()
    message.wrench.force.x, message.wrench.torque.z = 1.0, 6.0
    (wrench,) = Reader(WrenchStamped, 'wrench').read(serialize_message(message))
    assert wrench.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 6.0]


def test_fixed_arrays_and_long_messages_are_read_too() -> None:
    message = CameraInfo(width=320, height=240, k=[float(i) for i in range(9)], d=[0.1, 0.2])
    width, k, d = Reader(CameraInfo, 'width', 'k', 'd').read(serialize_message(message))
    assert (width, k.tolist(), d.tolist()) == (320, list(range(9)), [0.1, 0.2])
    point = JointTrajectoryPoint(positions=[1.0, 2.0])
    chunk = JointTrajectory(joint_names=['a', 'b'], points=[point] * 20)
    (names,) = Reader(JointTrajectory, 'joint_names').read(serialize_message(chunk))
    assert names == ['a', 'b']


MESSAGE = JointState(name=['a', 'long name'], position=[1.0, 2.0], velocity=[3.0, 4.0])


@pytest.mark.parametrize('learned', [False, True])
def test_a_message_cut_off_anywhere_is_refused_as_rclpy_refuses_it(learned) -> None:
    whole = serialize_message(MESSAGE)
    for size in range(len(whole)):
        reader = Reader(JointState, 'name', 'position', 'velocity', 'effort')
        if learned:
            reader.read(whole)
        try:
            expected = deserialize_message(whole[:size], JointState)
        except RuntimeError:
            expected = None
        if expected is None:
            with pytest.raises(RuntimeError, match='deserialize'):
                reader.read(whole[:size])
        else:
            assert reader.read(whole[:size])[0] == expected.name
        assert reader.read(whole)[0] == MESSAGE.name, 'a whole one after it is read again'


def test_a_flag_that_is_neither_true_nor_false_is_left_to_rclpy() -> None:
    whole = bytearray(serialize_message(BalanceState()))
    reader = Reader(BalanceState, 'fallen')
    assert reader.read(bytes(whole)) == [False]
    whole[Layout.of(BalanceState, bytes(whole)).slots['fallen'].offset] = 2
    try:
        expected = [deserialize_message(bytes(whole), BalanceState).fallen]
    except RuntimeError:
        with pytest.raises(RuntimeError, match='deserialize'):
            reader.read(bytes(whole))
    else:
        assert reader.read(bytes(whole)) == expected
    assert reader.read_in_full == 2


def test_big_endian_is_understood() -> None:
    foreign = b'\0\0\0\0' + struct.pack('>iII1sxxx6d', 7, 9, 1, b'\0', *range(6))
    reader = Reader(WrenchStamped, 'header.stamp', 'wrench')
    for _ in range(2):
        ns, wrench = reader.read(foreign)
        assert (ns, wrench.tolist()) == (7 * 10**9 + 9, list(range(6)))
    assert reader.read_in_full == 2


def test_other_names_are_noticed() -> None:
    reader = Reader(JointState, 'name')
    assert reader.read(serialize_message(JointState(name=['left', 'knee'])))[0] == ['left', 'knee']
    assert reader.read(serialize_message(JointState(name=['left', 'knew'])))[0] == ['left', 'knew']
    assert reader.read_in_full == 2


@pytest.mark.parametrize('path', ['positions', 'header.when', 'name.0', 'position.x'])
def test_a_field_that_does_not_exist_is_named(path) -> None:
    with pytest.raises(KeyError, match=path.split('.')[-1]):
        Reader(JointState, path)


@settings(max_examples=30, deadline=None)
@given(balance_states, number, st.integers(0, 3), stamp)
def test_numbers_of_elements_are_written_too(message, value, level, when) -> None:
    message.violations.append(Violation(kind='tilt', subject='base'))
    last = len(message.violations) - 1
    writer = Writer(message, f'violations.{last}.level', 'header.stamp', f'violations.{last}.value')
    read = deserialize_message(writer.write(level, plain(when, ''), value), BalanceState)
    message.header.stamp = when
    message.violations[last].level, message.violations[last].value = level, value
    assert serialize(read) == serialize(message)


def test_text_cannot_be_written_in_place() -> None:
    with pytest.raises(KeyError, match='name'):
        Writer(JointState(name=['a']), 'name')


def test_another_number_of_values_cannot_be_written() -> None:
    writer = Writer(JointState(position=[1.0, 2.0]), 'position')
    with pytest.raises(ValueError, match='1 numbers, wanted 2'):
        writer.write([1.0])
