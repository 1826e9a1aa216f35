# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver `so101`: the protocol byte for byte, the calibration, and a bus that misbehaves.

The contract runs it on the same double: vla_validation/test/test_driver_contract.py.
"""

import functools
import json
import math
import os
import time

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_hardware.doubles.feetech_bus import FeetechBus, calibration_of
from vla_hardware.drivers import feetech
from vla_hardware.drivers.base import DriverError, Gains
from vla_hardware.drivers.feetech import Packet, PacketReader
from vla_hardware.drivers.so101 import So101Driver
from vla_hardware.drivers.so101_arm import ERRORS, STEP, ArmConfig
from vla_robot.synthetic import synthetic_robot

ROBOT = synthetic_robot(6)
PATIENT = {'oldest': 5.0, 'answer': 2.0}  # a crowded machine keeps both threads from running
FULL = Gains(ROBOT.servo.kp, ROBOT.servo.kv)
FREE = Gains(np.zeros(6), ROBOT.servo.kv)
ZEROS = np.zeros(6)

# The examples of Feetech's manual of the protocol.
PING = 'FF FF 01 02 01 FB'
READ_POSITION = 'FF FF 01 04 02 38 02 BE'
POSITION = 'FF FF 01 04 00 18 05 DD'
WRITE_GOAL = 'FF FF 01 09 03 2A 00 08 00 00 E8 03 D5'
SYNC_READ = 'FF FF FE 06 82 38 08 01 02 36'
SYNC_ANSWERS = (
    'FF FF 01 0A 00 00 08 00 00 00 00 79 1E 55',
    'FF FF 02 0A 00 FF 07 00 00 00 00 77 23 53',
)
SYNC_WRITE = 'FF FF FE 20 83 2A 06 ' + ' '.join(f'0{i} 00 08 00 00 E8 03' for i in range(1, 5))
SYNC_WRITE += ' 58'


def test_requests_are_those_of_the_manual():
    goal = bytes.fromhex('00 08 00 00 E8 03')
    assert Packet(1, feetech.PING, b'').encode() == bytes.fromhex(PING)
    assert feetech.read_request(1, 56, 2) == bytes.fromhex(READ_POSITION)
    assert Packet(1, feetech.WRITE, b'\x2a' + goal).encode() == bytes.fromhex(WRITE_GOAL)
    assert feetech.sync_read_request([1, 2], 56, 8) == bytes.fromhex(SYNC_READ)
    written = feetech.sync_write_request(42, dict.fromkeys(range(1, 5), goal))
    assert written == bytes.fromhex(SYNC_WRITE)


def test_answers_are_read_as_in_the_manual():
    reader = PacketReader()
    (position,) = reader.feed(bytes.fromhex(POSITION))
    assert (position.servo, position.code) == (1, 0)
    assert feetech.number(position.data, 0) == 1304
    first, second = reader.feed(bytes.fromhex(' '.join(SYNC_ANSWERS)))
    assert [feetech.number(packet.data, 0) for packet in (first, second)] == [2048, 2047]
    assert first.data[6] == 0x79  # 12.1 V
    assert reader.damaged == 0


def test_a_number_with_its_sign_bit_is_negative():
    assert feetech.number(bytes((0x05, 0x80)), 0, 15) == -5
    assert feetech.number(bytes((0x05, 0x04)), 0, 10) == -5
    assert feetech.number(bytes((0xFF, 0xFF)), 0) == 0xFFFF


packets = st.builds(
    Packet, st.integers(0, 0xFE), st.integers(0, 255), st.binary(max_size=40)
)  # fmt: skip


@given(st.lists(packets, max_size=6), st.randoms())
def test_packets_are_found_in_pieces_of_any_size(sent, random):
    stream = b''.join(packet.encode() for packet in sent)
    reader, found = PacketReader(), []
    while stream:
        size = random.randint(1, 5)
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == sent


@given(st.lists(packets, min_size=1, max_size=4), st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_byte_costs_at_most_the_packets_near_it_and_nothing_false_is_found(
    sent, at, change
):
    stream = bytearray(b''.join(packet.encode() for packet in sent))
    stream[at % len(stream)] ^= change
    found = PacketReader().feed(bytes(stream))
    # What a damaged stream yields by chance has a right checksum: rare, and never a copy too many.
    assert len(found) <= len(sent) + 1
    assert sum(packet in sent for packet in found) <= len(sent)


@given(st.binary(max_size=60))
def test_what_follows_noise_is_found_in_the_end(noise):
    reader = PacketReader()
    reader.feed(noise)
    packet = Packet(3, 0, b'\x01\x02')
    found = reader.feed(packet.encode() * 130)  # an invented length swallows at most 250 bytes
    assert packet in found


# -- the calibration -------------------------------------------------------------------------


def arm(folder, calibration=None, **settings):
    content = calibration_of(ROBOT) if calibration is None else calibration
    (folder / 'arm.json').write_text(content if isinstance(content, str) else json.dumps(content))
    path = folder / 'so101.yaml'
    given = {'port': '/dev/ttyACM0', 'calibration': 'arm.json', **settings}
    path.write_text(yaml.safe_dump({k: v for k, v in given.items() if v is not None}))
    return ArmConfig.load(str(path), ROBOT)


def test_the_middle_of_the_range_is_zero_and_inverted_joints_turn_the_other_way(tmp_path):
    content = calibration_of(ROBOT)
    name = ROBOT.joint_names[0]
    content[name] |= {'range_min': 1000, 'range_max': 3000}
    servo = arm(tmp_path, content).servos[0]
    assert servo.radians(2000) == 0.0
    assert servo.radians(3000) == pytest.approx(1000 * 2 * math.pi / 4096)
    assert servo.limits == pytest.approx((-1000 * STEP, 1000 * STEP))
    content[name]['drive_mode'] = 1
    inverted = arm(tmp_path, content).servos[0]
    assert inverted.radians(3000) == pytest.approx(-1000 * STEP)
    assert inverted.steps(0.5) == 2000 - round(0.5 / STEP)
    assert inverted.steps(9.0) == 1000


@pytest.mark.parametrize('drive_mode', [0, 1])
def test_a_closed_gripper_is_at_the_lower_limit_of_the_urdf(tmp_path, drive_mode):
    content = calibration_of(ROBOT)
    name = ROBOT.joint_names[2]
    content[name] |= {'range_min': 1500, 'range_max': 2800, 'drive_mode': drive_mode}
    servo = arm(tmp_path, content, closed=[name]).servos[2]
    closed = 2800 if drive_mode else 1500
    assert servo.radians(closed) == pytest.approx(ROBOT.limits.lower[2])
    assert servo.limits[0] == pytest.approx(ROBOT.limits.lower[2])


def changed(**change):
    content = calibration_of(ROBOT)
    content[ROBOT.joint_names[1]] |= change
    return content


WRONG = {
    'a calibration that is no JSON': ('nothing here', {}),
    'a calibration without joints': ({}, {}),
    'two servos with one id': (changed(id=1), {}),
    'a range that is empty': (changed(range_min=3000, range_max=3000), {}),
    'a range beyond a turn': (changed(range_max=5000), {}),
    'a key that no calibration has': (changed(ofset=3), {}),
    'an arm without a port': (None, {'port': None}),
    'an unknown baud rate': (None, {'baud_rate': 12345}),
}


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_file_is_one_error(case, tmp_path):
    content, settings = WRONG[case]
    with pytest.raises(ConfigError) as error:
        arm(tmp_path, content, **settings)
    documented('Drivers', case, error.value, tmp_path)


def test_an_arm_without_a_file_is_refused():
    with pytest.raises(ConfigError) as error:
        ArmConfig.load('', ROBOT)
    documented('Drivers', 'a driver of an arm without a file', error.value)


def test_each_error_bit_has_a_cause_and_what_to_do(tmp_path):
    servo = arm(tmp_path).servos[0]
    for bit in range(8):
        error = servo.error(1 << bit)
        assert error.stopped
        assert servo.name in error.cause
        assert error.action
    assert set(ERRORS) == set(range(6))


# -- the bus ---------------------------------------------------------------------------------


@pytest.fixture
def bus(tmp_path):
    double = FeetechBus(ROBOT, tmp_path)
    yield double
    double.close()


@pytest.fixture
def driver(bus):
    made = So101Driver(
        ROBOT, ArmConfig.load(bus.params['driver_config'], ROBOT), time.monotonic, **PATIENT
    )
    yield made
    made.close()


def stiff(driver, position):
    driver.power(True)
    driver.write(position, ZEROS, ZEROS, FULL)


def read_on(driver):
    """Read until it raises, for 30 s."""
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        driver.read()


@pytest.mark.parametrize('how', ['as it should', 'in single bytes', 'late', 'damaged'])
def test_it_reads_and_moves_the_arm_although_the_bus_is_bad(how, bus, driver):
    bus.piece = 1 if how == 'in single bytes' else 0
    bus.delay = 0.01 if how == 'late' else 0.0
    bus.damage = 20 if how == 'damaged' else 0
    driver._answer = 0.1 if how == 'damaged' else 2.0
    driver.connect()
    start = driver.read().position
    np.testing.assert_allclose(start, ROBOT.poses['standing'], atol=2 * STEP)
    target = start + 0.2

    def there():
        stiff(driver, target)
        return np.abs(driver.read().position - target).max() < 0.01

    wait_until(there, 30.0, 'the arm at its target')
    np.testing.assert_allclose(bus.position(), target, atol=0.01 + STEP)


def test_stiffness_is_the_torque_limit_and_damp_frees_the_servos(bus, driver):
    driver.connect()
    position = driver.read().position
    driver.power(True)
    driver.write(position, ZEROS, ZEROS, Gains(0.25 * FULL.kp, FULL.kv))
    servo = bus.servos[1]
    torque = functools.partial(feetech.number, servo.registers, feetech.GOAL_POSITION + 6)
    wait_until(lambda: servo.stiff and torque() == 150, 30.0, 'a quarter of 60 %')
    driver.write(position, ZEROS, ZEROS, FREE)
    wait_until(lambda: not bus.stiff(), 30.0, 'free servos')
    driver.write(position, ZEROS, ZEROS, FULL)
    wait_until(bus.stiff, 30.0, 'stiff servos')
    driver.power(False)
    driver.write(position, ZEROS, ZEROS, FULL)
    wait_until(lambda: not bus.stiff(), 30.0, 'servos without power')


def test_a_goal_never_leaves_the_range_of_the_servo(bus, driver):
    driver.connect()
    stiff(driver, np.full(6, 50.0))
    goal = functools.partial(feetech.number, bus.servos[2].registers, feetech.GOAL_POSITION)
    highest = bus.servos[2].servo.highest
    wait_until(lambda: goal() == highest, 30.0, 'the end of the range')


def test_a_servo_that_is_silent_is_named_when_it_connects(bus, driver):
    driver._answer = 0.01
    bus.servos[4].silent = True
    with pytest.raises(DriverError, match=f'{ROBOT.joint_names[3]} .servo 4. does not answer'):
        driver.connect()


def test_a_servo_that_falls_silent_is_named(bus, driver):
    driver.connect()
    driver._answer, driver._oldest = 0.05, 0.2
    bus.servos[4].silent = True
    with pytest.raises(DriverError, match=f'no answer from {ROBOT.joint_names[3]} .servo 4.'):
        read_on(driver)


def test_a_servo_that_restarted_is_an_error_until_the_arm_is_passive(bus, driver):
    driver.connect()
    stiff(driver, driver.read().position)
    wait_until(lambda: bus.servos[1].stiff, 30.0, 'stiff servos')
    time.sleep(0.1)
    bus.servos[1].reboot()
    with pytest.raises(DriverError, match='switched its torque off') as error:
        read_on(driver)
    assert error.value.stopped
    time.sleep(0.1)
    with pytest.raises(DriverError, match='switched its torque off'):
        driver.read()
    assert not bus.servos[1].stiff
    driver.write(ZEROS, ZEROS, ZEROS, FREE)

    def readable():
        try:
            return driver.read() is not None
        except DriverError:
            return False

    wait_until(readable, 30.0, 'a reading')
    assert not bus.stiff()


def test_a_second_driver_of_the_same_port_is_refused(bus, driver):
    driver.connect()
    other = So101Driver(ROBOT, driver._config, time.monotonic, **PATIENT)
    with pytest.raises(DriverError, match='used by another process'):
        other.connect()


def test_a_port_that_is_no_serial_port_is_refused(tmp_path, bus, driver):
    bus.pull_cable()
    (tmp_path / 'ttyARM').write_text('')
    with pytest.raises(DriverError, match='cannot be opened'):
        driver.connect()
    os.unlink(tmp_path / 'ttyARM')
    with pytest.raises(DriverError, match='cannot be opened'):
        driver.connect()


STORED = {
    'servos of another model': (feetech.MODEL, 2825),
    'the calibration of another arm': (feetech.HOMING_OFFSET, 77),
}


@pytest.mark.parametrize('case', STORED)
def test_an_arm_that_is_not_the_one_of_the_file_is_refused(case, bus, driver, tmp_path):
    address, value = STORED[case]
    bus.servos[1].registers[address : address + 2] = feetech.two_bytes(value)
    with pytest.raises(ConfigError) as error:
        driver.connect()
    documented('Drivers', case, error.value, tmp_path)


def test_a_servo_that_turns_without_end_is_refused(bus, driver):
    bus.servos[2].registers[feetech.OPERATING_MODE] = 1
    with pytest.raises(DriverError, match='operating mode 1'):
        driver.connect()


class ScriptedPort:
    """A port whose answers a test puts in."""

    def __init__(self):
        self.requests, self.answers = [], []

    def drop_input(self):
        pass

    def write(self, data):
        self.requests += PacketReader().feed(data)

    def read(self, timeout):
        return self.answers.pop(0) if self.answers else b''

    def answer(self, request):
        """What all servos answer to it."""
        size = request.data[1]
        self.answers += [Packet(i, 0, bytes(size)).encode() for i in request.data[2:]]


def test_an_answer_to_an_older_request_is_not_taken_for_that_of_the_newest(tmp_path):
    driver = So101Driver(ROBOT, arm(tmp_path), lambda: 1.0, answer=0.0)
    port = ScriptedPort()
    driver._exchange(port)  # answered too late:
    port.answer(port.requests[0])
    driver._exchange(port)
    assert driver._newest is None
    read = port.write

    def answered(data):
        read(data)
        port.answer(port.requests[-1])

    port.write = answered
    driver._exchange(port)
    assert driver._newest is not None
