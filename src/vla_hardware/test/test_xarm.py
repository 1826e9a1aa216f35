# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver `xarm` against a controller on TCP that misbehaves. The contract runs it as well."""

import contextlib
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_hardware.doubles.xarm_robot import XArmRobot
from vla_hardware.drivers.base import DriverError, Gains
from vla_hardware.drivers.xarm import driver as module
from vla_hardware.drivers.xarm import wire
from vla_hardware.drivers.xarm.config import MODELS, XArmConfig
from vla_hardware.drivers.xarm.driver import XArmDriver
from vla_hardware.drivers.xarm.states import ERRORS, code_error, motors_error, servo_error
from vla_hardware.drivers.xarm.wire import FrameReader, ReportReader, XArmReply
from vla_robot import load_robot

ROBOT = load_robot('xarm7')
FULL = Gains(ROBOT.servo.kp, ROBOT.servo.kv)
FREE = Gains(np.zeros(7), ROBOT.servo.kv)
ZEROS = np.zeros(7)
PATIENCE = 30.0  # s, on a busy machine

# -- the protocol ----------------------------------------------------------------------------

answers = st.builds(
    XArmReply,
    st.integers(0, 65535),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=20),
)


@given(st.lists(answers, max_size=5), st.randoms())
def test_replies_are_found_in_pieces_of_any_size(sent, random):
    stream = b''.join(reply.encode() for reply in sent)
    reader, found = FrameReader(), []
    while stream:
        size = random.randint(1, 9)
        found += wire.replies(reader.feed(stream[:size]))
        stream = stream[size:]
    assert found == sent


def test_what_is_no_xarm_ends_the_connection():
    with pytest.raises(ConnectionError, match='no xArm'):
        FrameReader().feed(b'SSH-2.0-OpenSSH_9.2')
    with pytest.raises(ConnectionError, match='no xArm'):
        ReportReader(wire.FAST).feed(b'SSH-2.0-OpenSSH_9.2')


def test_frames_have_the_bytes_of_the_makers_sdk():
    assert wire.request(1, wire.GET_VERSION) == bytes.fromhex('0001 0002 0001 01')
    assert wire.request(2, wire.SET_MODE, b'\1') == bytes.fromhex('0002 0002 0002 13 01')
    frame = wire.servo_joints(3, [1.0] * 6)
    assert frame[:7] == bytes.fromhex('0003 0002 0029 1d')
    assert len(frame) == 7 + 40
    assert (wire.FAST.itemsize, wire.SLOW.itemsize) == (87, 91)


def test_each_error_has_a_cause_and_what_to_do():
    found = [code_error(code) for code in (*ERRORS, 99)]
    found += [motors_error(0x7F, 0x7D, 7), motors_error(0, 0x7F, 7)]
    found += [servo_error(state, 1) for state in (3, 4, 5, 6, 9)]
    found += [servo_error(0, mode) for mode in (0, 2, 4, 5, 6, 7, 11)]
    for error in found:
        assert error.stopped and error.cause and error.action
    assert code_error(0) is None
    assert motors_error(0x1F, 0xFF, 5) is None
    assert servo_error(1, 1) is None


# -- the file --------------------------------------------------------------------------------

WRONG = {
    'an xArm without an address': {'host': None},
    'an xArm that this driver does not know': {'model': 'xarm8'},
    'an xArm whose reports may be a second old': {'max_age': 1.0},
    'a misspelt key of an xArm': {'hots': 'a'},
}


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_file_is_one_error(case, tmp_path):
    path = tmp_path / 'xarm.yaml'
    given = {'host': '192.168.1.10', 'model': 'xarm7', **WRONG[case]}
    path.write_text(yaml.safe_dump({k: v for k, v in given.items() if v is not None}))
    with pytest.raises(ConfigError) as error:
        XArmConfig.load(str(path))
    documented('Drivers', case, error.value, tmp_path)


def test_an_xarm_without_a_file_is_refused():
    with pytest.raises(ConfigError) as error:
        XArmConfig.load('')
    documented('Drivers', 'a driver of an xArm without a file', error.value)


def test_each_model_has_a_range_for_each_joint():
    for model in MODELS.values():
        assert len(model.limits) == model.axes
        assert all(lower < upper for lower, upper in model.limits)


# -- the driver against the controller -----------------------------------------------------------


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    for name in ('ANSWER', 'ENTERED', 'FIRST_REPORTS'):
        monkeypatch.setattr(module, name, 10.0)


@pytest.fixture
def double(tmp_path):
    made = XArmRobot(ROBOT, tmp_path)
    yield made
    made.close()


@pytest.fixture
def driver(double):
    config = XArmConfig.load(double.params['driver_config'])
    made = XArmDriver(ROBOT, replace(config, max_age=5.0), steady_now)
    yield made
    made.close()


def stiff(driver, position):
    driver.power(True)
    driver.write(position, ZEROS, ZEROS, FULL)


def track(driver, target):
    """Follow a target until the arm is there, as the servo loop does: in small steps."""
    at = driver.read().position

    def there():
        nonlocal at
        if driver._phase.value == 'running':
            at = at + np.clip(target - at, -0.02, 0.02)
        stiff(driver, at)
        near = np.abs(driver.read().position - target).max() < 0.01
        return near and driver._phase.value == 'running'

    wait_until(there, PATIENCE, 'the arm at its target')


def error_of(driver):
    """The first error of a robot that stopped."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            driver.read()
        except DriverError as error:
            if error.stopped:
                return error
        time.sleep(0.005)
    raise AssertionError('no error')


def reads(driver):
    try:
        return driver.read() is not None
    except DriverError:
        return False


@pytest.mark.parametrize('how', ['as it should', 'in single bytes', 'late'])
def test_it_reads_and_moves_the_arm_although_the_network_is_bad(how, double, driver):
    double.server.piece = 1 if how == 'in single bytes' else 0
    double.server.delay = 0.03 if how == 'late' else 0.0
    driver.connect()
    reading = driver.read()
    np.testing.assert_allclose(reading.position, ROBOT.poses['standing'], atol=1e-5)
    assert double.received == 0
    assert set(double.functions) <= {wire.GET_VERSION, wire.GET_ERROR}
    target = reading.position + 0.1
    track(driver, target)
    np.testing.assert_allclose(double.position(), target, atol=0.02)


def test_damped_the_arm_is_stopped_and_follows_again_when_it_is_stiff(double, driver):
    driver.connect()
    track(driver, driver.read().position)
    assert double.stiff()
    driver.write(ZEROS, ZEROS, ZEROS, FREE)
    wait_until(lambda: not double.stiff(), PATIENCE, 'the stop')
    wait_until(lambda: driver.read() and driver._phase.value == 'none', PATIENCE, 'its end')
    track(driver, driver.read().position + 0.05)
    driver.power(False)
    driver.write(ZEROS, ZEROS, ZEROS, FULL)
    wait_until(lambda: not double.stiff(), PATIENCE, 'the stop')


def test_a_target_that_leaps_is_not_sent(double, driver):
    driver.connect()
    start = driver.read().position
    track(driver, start)
    received = double.received
    with pytest.raises(DriverError, match='leaps') as error:
        stiff(driver, start + 0.5)
    assert error.value.stopped
    time.sleep(0.05)
    assert double.received == received
    np.testing.assert_allclose(double.position(), start, atol=0.01)


REFUSED = {
    'an error': ({'error': 31}, 'C31'),
    'a pressed emergency stop': ({'error': 1, 'enabled': 0}, 'emergency stop'),
    'disabled motors': ({'enabled': 0x7D}, 'not enabled: joint2'),
    'another program': ({'state': 1}, 'another program moves'),
    'silence': ({'frozen': True}, 'does not answer'),
    'firmware that does not name its arm': ({'version': 'v1.0.0'}, 'update its firmware'),
    'replies to other requests': ({'wrong_numbers': True}, 'does not answer'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_a_robot_that_is_not_ready_is_refused_with_what_to_do(case, double, driver, monkeypatch):
    change, text = REFUSED[case]
    for name, value in change.items():
        setattr(double, name, value)
    monkeypatch.setattr(module, 'FIRST_REPORTS', 1.0)
    driver.connect_time = 1.0
    with pytest.raises(DriverError, match=text) as error:
        driver.connect()
    assert error.value.action
    assert double.received == 0
    assert wire.SET_STATE not in double.functions


def test_another_arm_than_that_of_the_file_is_refused(double, driver, tmp_path):
    double.version = '6,9,LI1000,DL1000,v2.3.0'
    with pytest.raises(ConfigError) as error:
        driver.connect()
    documented('Drivers', 'another model of xArm than the file names', error.value, tmp_path)


def test_a_wrong_address_is_refused(driver):
    other = XArmDriver(ROBOT, replace(driver._config, host='127.0.0.9'), steady_now)
    with pytest.raises(DriverError, match=r'127\.0\.0\.9') as error:
        other.connect()
    assert '`host`' in error.value.action


def test_a_command_that_the_controller_refuses_is_reported(double, driver):
    driver.connect()
    track(driver, driver.read().position)
    double.refuses = {wire.SERVO_JOINTS}
    stiff(driver, driver.read().position)
    assert 'refuses the command 29' in error_of(driver).cause


def test_the_mode_that_somebody_changes_stops_until_the_servo_loop_is_passive(double, driver):
    driver.connect()
    track(driver, driver.read().position)
    double.enter('mode changed')
    assert 'manual' in error_of(driver).cause
    double.mode = 1
    received = double.received
    with pytest.raises(DriverError, match='mode'):
        driver.read()
    for _ in range(5):
        stiff(driver, double.position())
    assert double.received == received
    driver.write(ZEROS, ZEROS, ZEROS, FREE)
    wait_until(lambda: reads(driver), PATIENCE, 'a reading')


@pytest.mark.parametrize('how', ['reset', 'reboot'])
def test_a_connection_that_ends_is_opened_again_and_resumes_nothing(how, double, driver):
    driver.connect()
    track(driver, driver.read().position)
    if how == 'reset':
        double.server.drop_clients()
    else:
        double.reboot()
    assert error_of(driver).action
    if how == 'reboot':
        double.enter('')  # its operator enabled it
    received = double.received

    def back():
        # As the servo loop: it reads in each cycle, whatever the last write came to.
        with contextlib.suppress(DriverError):
            driver.write(ZEROS, ZEROS, ZEROS, FREE)
        return reads(driver)

    wait_until(back, PATIENCE, 'a reading')
    assert double.received == received
    wait_until(lambda: back() and not double.stiff(), PATIENCE, 'a stopped arm')


def test_values_that_are_not_finite_never_reach_the_robot(double, driver):
    driver.connect()
    track(driver, driver.read().position)
    received = double.received
    bad = ZEROS.copy()
    bad[2] = np.inf
    with pytest.raises(DriverError, match='not finite'):
        driver.write(bad, ZEROS, ZEROS, FULL)
    assert double.received == received
