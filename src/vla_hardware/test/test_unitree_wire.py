# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The messages of a G1: layout, checksum, buttons, motors, and what becomes of a state."""

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from unitree_hg.msg import LowCmd, LowState

from vla_hardware.drivers.unitree import wire
from vla_hardware.drivers.unitree.motors import MOTORS, VARIANTS
from vla_hardware.drivers.unitree.state_guard import RESTARTED, StateGuard

STOP = (frozenset({'L2', 'B'}), frozenset({'select'}))


def random_record(layout, seed):
    """A record whose bytes are random, where they are no padding and no NaN."""
    rng = np.random.default_rng(seed)
    message = np.zeros(layout.size, np.uint8)
    message[:] = rng.integers(0, 127, layout.size)
    message[:4] = 0, 1, 0, 0
    return layout.read(message.tobytes())


def by_the_bits(words):
    """The checksum as its definition has it, bit by bit."""
    crc = 0xFFFFFFFF
    for word in np.frombuffer(words, '<u4').tolist():
        for bit in range(31, -1, -1):
            high = (crc >> 31) ^ (word >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if high else 0)
    return crc


def fields(value):
    """A message or a record as nested lists of numbers."""
    if isinstance(value, np.void):
        return [fields(value[name]) for name in value.dtype.names]
    if hasattr(value, 'get_fields_and_field_types'):
        return [fields(getattr(value, name)) for name in value.get_fields_and_field_types()]
    if isinstance(value, (list, np.ndarray)):
        return [fields(item) for item in value]
    return float(value)


def test_an_all_zero_command_has_the_known_checksum():
    record = np.zeros((), wire.LOW_CMD)
    wire.COMMAND.write(record)
    assert record['crc'] == 4262932383


@pytest.mark.parametrize('seed', range(5))
def test_the_fast_checksum_is_that_of_the_definition(seed):
    words = np.random.default_rng(seed).integers(0, 256, 1000, dtype=np.uint8).tobytes()
    assert wire.checksum(words) == by_the_bits(words)


def test_the_structs_have_the_sizes_of_the_makers():
    assert (wire.LOW_CMD.itemsize, wire.LOW_STATE.itemsize) == (1004, 2092)


@pytest.mark.parametrize(
    ('kind', 'layout'), [(LowCmd, wire.COMMAND), (LowState, wire.STATE)], ids=['cmd', 'state']
)
def test_the_serialized_message_is_that_of_ros(kind, layout):
    record = random_record(layout, 3)
    message = layout.write(np.array(record))
    understood = deserialize_message(message, kind)
    assert fields(understood) == fields(layout.read(message))
    again = layout.read(serialize_message(understood))
    assert again.tobytes() == layout.read(message).tobytes()
    assert wire.crc_is_right(again)


def test_padding_of_a_message_does_not_count():
    # Fast CDR leaves whatever was in the buffer there.
    message = bytearray(wire.STATE.write(np.zeros((), wire.LOW_STATE)))
    message[4 + 10] ^= 0xFF
    assert wire.crc_is_right(wire.STATE.read(bytes(message)))
    message[4 + 12] ^= 0xFF
    assert not wire.crc_is_right(wire.STATE.read(bytes(message)))


def test_padding_of_a_record_does_not_count():
    plain = np.zeros((), wire.LOW_CMD)
    dirty = np.full(wire.LOW_CMD.itemsize, 0xFF, np.uint8).view(wire.LOW_CMD)[0:1].reshape(())
    for name in wire.LOW_CMD.names:
        dirty[name] = plain[name]
    for name in dirty['motor_cmd'].dtype.names:
        dirty['motor_cmd'][name] = 0
    assert dirty.tobytes() != plain.tobytes()
    assert wire.COMMAND.write(dirty) == wire.COMMAND.write(plain)


@pytest.mark.parametrize('message', [b'', bytes(2092), b'\0\1\0\0' + bytes(100)])
def test_another_message_is_no_state(message):
    with pytest.raises(ValueError, match='bytes that begin with'):
        wire.STATE.read(message)


def test_buttons_have_their_bits():
    assert wire.pressed(bytes([0, 0, 0x20, 0x02, *[0] * 36])) == {'L2', 'B'}
    assert wire.pressed(wire.remote_bytes({'R1', 'left'})) == {'R1', 'left'}


def test_motors_are_in_the_order_of_the_slots():
    names = [motor.name for motor in MOTORS]
    assert len(names) == 29
    assert names[0] == 'left_hip_pitch_joint'
    assert names[6] == 'right_hip_pitch_joint'
    assert names[12:15] == ['waist_yaw_joint', 'waist_roll_joint', 'waist_pitch_joint']
    assert names[15] == 'left_shoulder_pitch_joint'
    assert names[28] == 'right_wrist_yaw_joint'
    assert [motor.slot for motor in MOTORS] == list(range(29))
    assert (MOTORS[1].lower, MOTORS[1].upper) == (-MOTORS[7].upper, -MOTORS[7].lower)
    assert len(VARIANTS[4].motors) == 23
    assert len(VARIANTS[5].motors) == 29


def state(tick, **changes):
    record = np.zeros((), wire.LOW_STATE)
    record['mode_machine'], record['tick'] = 5, tick
    for name, value in changes.items():
        record[name] = value
    return wire.STATE.write(record)


@pytest.fixture
def guard():
    guard = StateGuard(STOP)
    assert guard.offer(state(100)) is not None
    return guard


def test_a_newer_state_is_accepted_and_a_repeated_or_older_one_is_not(guard):
    assert guard.offer(state(102))['tick'] == 102
    assert guard.offer(state(102)) is None
    assert guard.offer(state(50)) is None
    assert guard.rejected == {'tick stands still': 1, 'tick goes back': 1}
    assert guard.offer(state(104)) is not None


def test_a_tick_that_wraps_around_is_newer():
    guard = StateGuard(STOP)
    assert guard.offer(state(0xFFFFFFFE)) is not None
    assert guard.offer(state(1)) is not None


def test_a_robot_that_restarts_counts_up_from_below(guard):
    for tick in range(RESTARTED):
        assert guard.offer(state(tick)) is None
    assert not guard.restarts
    assert guard.offer(state(RESTARTED)) is not None
    assert guard.restarts == 1


def test_ticks_that_jump_about_below_are_no_restart(guard):
    for _ in range(3 * RESTARTED):
        assert guard.offer(state(40)) is None
        assert guard.offer(state(30)) is None
    assert not guard.restarts


def test_a_wrong_checksum_is_rejected_and_named(guard):
    message = bytearray(state(102))
    message[60] ^= 1
    assert guard.offer(bytes(message)) is None
    assert guard.last_rejection == 'wrong CRC'


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_rejected(guard, value):
    record = np.zeros((), wire.LOW_STATE)
    record['tick'] = 110
    record['motor_state']['q'][28] = value
    assert guard.offer(wire.STATE.write(record)) is None
    assert guard.last_rejection == 'not finite'


def test_a_stop_is_noticed_in_every_intact_state_and_counted_once(guard):
    held = np.frombuffer(wire.remote_bytes({'L2', 'B', 'up'}), np.uint8)
    guard.offer(state(100, wireless_remote=held))  # a repeated tick
    guard.offer(state(104, wireless_remote=held))
    assert (guard.stops, guard.stop_held) == (1, True)
    guard.offer(state(106))
    assert (guard.stops, guard.stop_held) == (1, False)
    only_one = np.frombuffer(wire.remote_bytes({'L2'}), np.uint8)
    guard.offer(state(108, wireless_remote=only_one))
    assert guard.stops == 1
