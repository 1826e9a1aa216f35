# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver `ur` against a controller on TCP that misbehaves. The contract runs it as well."""

import contextlib
import functools
import struct
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
from vla_hardware.doubles.ur_robot import STEP, UrRobot
from vla_hardware.doubles.urscript import UrScriptError, compile_program
from vla_hardware.drivers.base import DriverError, Gains
from vla_hardware.drivers.ur import rtde
from vla_hardware.drivers.ur.config import UrConfig
from vla_hardware.drivers.ur.driver import UrDriver
from vla_hardware.drivers.ur.program import program
from vla_hardware.drivers.ur.rtde import RtdePacket, RtdeReader
from vla_hardware.drivers.ur.state_age import StateAge
from vla_hardware.drivers.ur.states import ENDED, ROBOT_MODES, SAFETY, ended_error, robot_error
from vla_robot import load_robot

ROBOT = load_robot('ur5e')
FULL = Gains(ROBOT.servo.kp, ROBOT.servo.kv)
FREE = Gains(np.zeros(6), ROBOT.servo.kv)
ZEROS = np.zeros(6)
PATIENCE = 30.0  # s, on a busy machine


# -- the protocol ----------------------------------------------------------------------------

packets = st.builds(RtdePacket, st.integers(0, 255), st.binary(max_size=30))


@given(st.lists(packets, max_size=6), st.randoms())
def test_packets_are_found_in_pieces_of_any_size(sent, random):
    stream = b''.join(packet.encode() for packet in sent)
    reader, found = RtdeReader(), []
    while stream:
        size = random.randint(1, 9)
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == sent


def test_what_is_no_rtde_ends_the_connection():
    with pytest.raises(ConnectionError, match='not RTDE'):
        RtdeReader().feed(b'HTTP/1.1 400 Bad Request\r\n')
    with pytest.raises(ConnectionError, match='not RTDE'):
        RtdeReader().feed(b'\0\0\0')


def test_requests_have_the_bytes_of_the_guide():
    version = RtdePacket(rtde.REQUEST_PROTOCOL_VERSION, struct.pack('>H', 2))
    assert version.encode() == bytes.fromhex('0005 56 0002')
    outputs = rtde.setup_outputs(125.0, ['timestamp', 'actual_q'])
    assert outputs.encode() == bytes.fromhex('001d 4f 405f400000000000') + b'timestamp,actual_q'


@given(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=9))
def test_a_state_that_waited_in_a_buffer_is_as_old_as_it_is(gaps):
    age, now, stamp = StateAge(), 10.0, 5.0
    age.update(now, stamp)
    for gap in gaps:
        now += gap
        assert age.update(now, stamp + gap / 2)  # the robot's time falls behind
        stamp += gap / 2
    behind = sum(gaps) / 2
    assert age.of(now) == pytest.approx(behind, abs=2e-3 * sum(gaps) + 1e-9)


def test_a_stamp_that_stands_still_is_no_new_state_and_one_from_zero_is_a_restart():
    age = StateAge()
    assert age.of(1.0) == float('inf')
    assert age.update(1.0, 50.0)
    assert not age.update(1.1, 50.0)
    assert not age.update(1.1, 49.9)
    assert age.of(1.2) == pytest.approx(0.2)
    assert age.update(1.3, 0.1)
    assert age.of(1.3) == 0.0
    assert not age.update(1.4, float('nan'))


# -- the states ------------------------------------------------------------------------------


def state(**fields):
    return {
        'robot_mode': 7,
        'safety_mode': 1,
        'safety_status': 1,
        'target_speed_fraction': 1.0,
        **fields,
    }


def test_each_state_in_which_the_arm_cannot_move_has_a_cause_and_what_to_do():
    assert robot_error(state()) is None
    assert robot_error(state(safety_status=2, safety_mode=2)) is None
    errors = [robot_error(state(safety_status=number)) for number in (*SAFETY, 0, 99)]
    errors += [robot_error(state(robot_mode=number)) for number in (*ROBOT_MODES, 42)]
    errors += [robot_error(state(target_speed_fraction=value)) for value in (0.0, 0.5, np.nan)]
    errors += [robot_error(state(safety_mode=3))]  # software that has no status for it
    errors += [ended_error(number, 1) for number in (*ENDED, 77)]
    errors += [ended_error(0, runtime) for runtime in (0, 3, 4, 5, 9)]
    for error in errors:
        assert error.stopped
        assert error.cause
        assert error.action


# -- the file --------------------------------------------------------------------------------

WRONG = {
    'a UR without an address': {'host': None},
    'a UR that this driver does not know': {'model': 'ur20'},
    'a deadline in the robot of seconds': {'deadline': 2.0},
    'a gain that servoj does not take': {'gain': 5000.0},
    'a misspelt key of a UR': {'lookahed': 0.1},
}


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_file_is_one_error(case, tmp_path):
    path = tmp_path / 'ur.yaml'
    given = {'host': '192.168.1.10', 'model': 'ur5e', **WRONG[case]}
    path.write_text(yaml.safe_dump({k: v for k, v in given.items() if v is not None}))
    with pytest.raises(ConfigError) as error:
        UrConfig.load(str(path))
    documented('Drivers', case, error.value, tmp_path)


def test_a_ur_without_a_file_is_refused():
    with pytest.raises(ConfigError) as error:
        UrConfig.load('')
    documented('Drivers', 'a driver of a UR without a file', error.value)


# -- the program in the robot ------------------------------------------------------------------


class Controller:
    """Registers and an arm, for the program alone. rigid: the arm does not move."""

    def __init__(self, config, rigid=False):
        self.inputs = {24: 1, 25: 7, 26: 1, **{('f', 24 + i): 0.0 for i in range(7)}}
        self.inputs['f', 30] = 300.0
        self.outputs, self.q, self.rigid = {}, [0.0] * 6, rigid
        self.stopped_at = None
        functions = {
            'get_actual_joint_positions': lambda: list(self.q),
            'get_steptime': lambda: STEP,
            'norm': abs,
            'read_input_integer_register': self.inputs.get,
            'read_input_float_register': lambda i: self.inputs['f', i],
            'write_output_integer_register': self.outputs.__setitem__,
            'servoj': self.servoj,
            'stopj': self.stopj,
        }
        self.running = compile_program(program(config, 7), functions)

    def servoj(self, target, t, lookahead_time, gain):
        if not self.rigid:
            self.q = list(target)
        yield

    def stopj(self, deceleration):
        self.stopped_at = list(self.q)
        yield

    def run(self, steps, targets=None):
        """Control steps, each with a new target where there are some; False: it has ended."""
        for i in range(steps):
            if targets is not None:
                self.inputs[24] += 1
                self.inputs['f', 24] = targets(i)
            if next(self.running, 'ended') == 'ended':
                return False
        return True


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'only.yaml'
    path.write_text(yaml.safe_dump({'host': 'nowhere', 'model': 'ur5e'}))
    return UrConfig.load(str(path))


def test_the_program_follows_the_targets_and_ends_when_commanded(config):
    controller = Controller(config)
    assert controller.run(100, lambda i: 0.01 * i)
    assert controller.q[0] == pytest.approx(0.98, abs=0.02)
    assert controller.outputs[24] == 7
    controller.inputs[26] = 0
    assert not controller.run(3)
    assert controller.outputs[25] == 1
    assert controller.outputs[24] == 0


def test_the_program_stops_the_arm_when_no_target_comes(config):
    controller = Controller(config)
    controller.run(10, lambda i: 0.01 * i)
    assert controller.run(int(config.deadline / STEP) - 1)
    assert not controller.run(4)
    assert controller.outputs[25] == 2
    assert controller.stopped_at is not None


def test_the_program_takes_no_leap_and_stops_an_arm_that_is_blocked(config):
    leap = Controller(config)
    assert not leap.run(5, lambda i: 1.0)
    assert leap.outputs[25] == 3
    assert leap.q == [0.0] * 6
    blocked = Controller(config, rigid=True)
    assert not blocked.run(200, lambda i: 0.01 * i)
    assert blocked.outputs[25] == 4


def test_the_program_obeys_its_own_session_only(config):
    controller = Controller(config)
    controller.run(5, lambda i: 0.0)
    controller.inputs[25] = 8
    assert not controller.run(3, lambda i: 0.1)
    assert controller.outputs[25] == 5
    assert controller.q == [0.0] * 6


def test_a_program_that_is_resumed_with_the_arm_elsewhere_moves_nothing(config):
    controller = Controller(config)
    controller.run(5, lambda i: 0.0)
    controller.q = [0.5] + [0.0] * 5  # paused meanwhile, and moved by hand
    assert not controller.run(5)
    assert controller.outputs[25] == 4
    assert controller.q[0] == 0.5


@pytest.mark.parametrize(
    'text', ['', 'def a():\n', 'def a():\n end\nend', 'def a():\n for x:\nend']
)
def test_a_text_that_is_no_program_is_refused_by_the_double(text):
    with pytest.raises(UrScriptError):
        compile_program(text, {})


# -- the driver against the controller -----------------------------------------------------------


@pytest.fixture
def double(tmp_path):
    made = UrRobot(ROBOT, tmp_path)
    yield made
    made.close()


@pytest.fixture
def driver(double):
    config = UrConfig.load(double.params['driver_config'])
    made = UrDriver(ROBOT, replace(config, max_age=5.0, deadline=5.0), steady_now)
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


def error_of(driver, seconds=PATIENCE):
    """The first error of a robot that stopped."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            driver.read()
        except DriverError as error:
            if error.stopped:
                return error
        time.sleep(0.005)
    raise AssertionError('no error')


@pytest.mark.parametrize('how', ['as it should', 'in single bytes', 'late', 'older software'])
def test_it_reads_and_moves_the_arm_although_the_network_is_bad(how, double, driver):
    double.server.piece = 1 if how == 'in single bytes' else 0
    double.server.delay = 0.03 if how == 'late' else 0.0
    if how == 'older software':
        double.rtde.missing = {'actual_current_as_torque'}
    driver.connect()
    reading = driver.read()
    np.testing.assert_allclose(reading.position, ROBOT.poses['standing'], atol=1e-6)
    assert not reading.effort.any()
    assert double.received == double.programs == 0
    target = reading.position + 0.2
    track(driver, target)
    np.testing.assert_allclose(double.position(), target, atol=0.02)
    assert double.programs == 1


def test_damped_the_program_ends_and_a_new_one_starts_when_it_is_stiff_again(double, driver):
    driver.connect()
    track(driver, driver.read().position)
    wait_until(double.stiff, PATIENCE, 'a program')
    driver.write(ZEROS, ZEROS, ZEROS, FREE)
    wait_until(lambda: not double.stiff(), PATIENCE, 'no program')
    received = double.received
    driver.write(ZEROS, ZEROS, ZEROS, FREE)
    wait_until(lambda: driver.read() and driver._phase.value == 'none', PATIENCE, 'its end')
    assert double.received == received
    track(driver, driver.read().position + 0.05)
    assert double.programs == 2
    driver.power(False)
    driver.write(ZEROS, ZEROS, ZEROS, FULL)
    wait_until(lambda: not double.stiff(), PATIENCE, 'no program')


def _refuse(double, **change):
    for name, value in change.items():
        setattr(double.rtde if hasattr(double.rtde, name) else double, name, value)


REFUSED = {
    'a CB3': ({'version': (3, 15, 8, 0)}, 'CB3 3.15'),
    'PolyScope X': ({'version': (10, 7, 0, 0)}, 'PolyScope X'),
    'old software': ({'version': (5, 4, 0, 0)}, 'PolyScope 5.4'),
    'an old protocol': ({'protocol': 1}, 'RTDE version 2'),
    'local control': ({'remote': False}, 'local control'),
    'registers of somebody else': ({'taken': {'input_int_register_25'}}, 'another program writes'),
    'no such output': ({'missing': {'safety_status'}}, 'has no safety_status'),
    'another program': ({'state': {'runtime_state': 2}}, 'a program runs'),
    'powered off': ({'state': {'robot_mode': 3}}, 'powered off'),
    'a protective stop': ({'state': {'safety_mode': 3, 'safety_status': 3}}, 'protective stop'),
    'a slow speed slider': ({'state': {'target_speed_fraction': 0.2}}, 'speed slider'),
    'silence': ({'frozen': True}, 'does not answer'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_a_robot_that_is_not_ready_is_refused_with_what_to_do(case, double, driver):
    change, text = REFUSED[case]
    _refuse(double, **change)
    driver.connect_time = 1.0 if case == 'silence' else 4.0
    with pytest.raises(DriverError, match=text) as error:
        driver.connect()
    assert error.value.action
    assert double.received == double.programs == 0


def test_another_arm_than_that_of_the_file_is_refused(double, driver, tmp_path):
    double.model = 'UR10'
    with pytest.raises(ConfigError) as error:
        driver.connect()
    documented('Drivers', 'another model of UR than the file names', error.value, tmp_path)


@pytest.mark.parametrize('host', ['127.0.0.9', 'no-such-robot.invalid'])
def test_a_wrong_address_is_refused(host, driver):
    config = replace(driver._config, host=host)
    with pytest.raises(DriverError, match=host) as error:
        UrDriver(ROBOT, config, steady_now).connect()
    assert '`host`' in error.value.action


def test_a_robot_that_takes_no_program_is_reported(double, driver, monkeypatch):
    monkeypatch.setattr('vla_hardware.drivers.ur.driver.STARTED', 0.5)
    driver.connect()
    double.remote = False  # somebody chooses Local at the pendant
    stiff(driver, driver.read().position)
    error = error_of(driver)
    assert 'does not start the program' in error.cause
    assert 'Remote' in error.action
    assert double.programs == 0


def test_a_paused_program_is_ended_so_that_nobody_resumes_it(double, driver):
    driver.connect()
    track(driver, driver.read().position)
    double.enter('program paused')
    assert 'paused' in error_of(driver).cause
    wait_until(lambda: 'stop' in double.dashboard_commands, PATIENCE, 'its end')
    double.enter('')
    assert not double.stiff()
    with pytest.raises(DriverError):  # until the servo loop is passive
        driver.read()
    driver.write(ZEROS, ZEROS, ZEROS, FREE)
    wait_until(functools.partial(_reads, driver), PATIENCE, 'a reading')
    assert double.programs == 1


def _reads(driver):
    try:
        return driver.read() is not None
    except DriverError:
        return False


@pytest.mark.parametrize('how', ['reset', 'reboot'])
def test_a_connection_that_ends_is_opened_again_and_resumes_nothing(how, double, driver):
    driver.connect()
    track(driver, driver.read().position)
    if how == 'reset':
        double.server.drop_clients()
    else:
        double.reboot()
    error = error_of(driver)
    assert error.action
    for _ in range(20):
        try:
            stiff(driver, ZEROS)
        except DriverError:
            time.sleep(0.01)
    if how == 'reboot':
        double.enter('')  # its operator switched it on
    programs, received = double.programs, double.received

    def back():
        # As the servo loop: it reads in each cycle, whatever the last write came to.
        with contextlib.suppress(DriverError):
            driver.write(ZEROS, ZEROS, ZEROS, FREE)
        return _reads(driver)

    wait_until(back, PATIENCE, 'a reading')
    assert (double.programs, double.received) == (programs, received)


def test_a_killed_driver_leaves_an_arm_that_the_robot_stops(double):
    config = UrConfig.load(double.params['driver_config'])
    driver = UrDriver(ROBOT, replace(config, max_age=5.0, deadline=0.5), steady_now)
    driver.connect()
    track(driver, driver.read().position)
    driver._session.close(abort=True)  # what a kill does
    begin = time.monotonic()
    wait_until(lambda: not double.stiff(), PATIENCE, 'the robot stopping by itself')
    assert time.monotonic() - begin >= 0.3
    assert double.rtde.value('output_int_register_25') == 2
    assert 'brakes the arm' in driver.when_killed


def test_values_that_are_not_finite_never_reach_the_robot(double, driver):
    driver.connect()
    driver.power(True)
    bad = ZEROS.copy()
    bad[2] = np.nan
    with pytest.raises(DriverError, match='not finite'):
        driver.write(bad, ZEROS, ZEROS, FULL)
    assert double.received == 0
