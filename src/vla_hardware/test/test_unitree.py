# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver `unitree` against a G1 at the level of its messages. The contract runs it as well."""

import io
import time

import numpy as np
import pytest

from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema
from vla_hardware.device_check import check_device
from vla_hardware.doubles.g1 import G1Double
from vla_hardware.drivers.base import DriverError, Gains
from vla_hardware.drivers.unitree import driver as unitree
from vla_hardware.drivers.unitree import release
from vla_hardware.limits import ServoLimits
from vla_robot import load_robot

PATIENCE = 30.0  # s, on a busy machine


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    for name in ('CONNECT', 'FIRST_STATE', 'MATCHED'):
        monkeypatch.setattr(unitree, name, PATIENCE)


@pytest.fixture
def start(tmp_path):
    """start(robot, **options of the double) -> (double, driver that is not connected)."""
    opened = []

    def start(name='unitree_g1_upper', other='', **options):
        robot = load_robot(name)
        double = G1Double(robot, tmp_path, **options)
        opened.append(double)
        params = ParameterSchema.load('vla_hardware').defaults(
            **vars(ServoLimits.load()), **double.params
        )
        robot = load_robot(other) if other else robot
        driver = unitree.UnitreeDriver.from_parameters(robot, params, steady_now)
        opened.append(driver)
        return double, driver

    yield start
    for one in reversed(opened):
        one.close()


def until(done, message):
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, message
        time.sleep(0.01)


def reading(driver):
    """A reading; a busy machine makes one late now and then."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return driver.read()
        except DriverError as error:
            if error.stopped or time.monotonic() > end:
                raise
        time.sleep(0.005)


def hold(driver, robot, seconds=0.0):
    """Targets at the measured position, at the whole stiffness."""
    gains, zeros = Gains(robot.servo.kp, robot.servo.kv), np.zeros(robot.n)
    driver.power(True)
    end = time.monotonic() + seconds
    while True:
        driver.write(reading(driver).position, zeros, zeros, gains)
        if time.monotonic() >= end:
            return
        time.sleep(0.005)


def engaged(double, driver):
    robot = load_robot('unitree_g1_upper')
    end = time.monotonic() + PATIENCE
    while double.ask('')['weight'] < 1.0:
        assert time.monotonic() < end
        hold(driver, robot, 0.1)


def test_a_killed_driver_damps_the_arms_and_gives_them_back(start):
    double, driver = start()
    driver.connect()
    assert double.ask('')['frames'] == 0
    engaged(double, driver)
    assert double.stiff()
    # What a kill does: the socket closes, nothing is said.
    driver._sock.close()
    driver._sock = None
    until(lambda: not double.stiff(), 'still stiff')
    assert double.ask('')['weight'] == 1.0
    until(lambda: double.ask('')['weight'] == 0.0, 'the arms were not given back')
    before = double.ask('')['frames']
    time.sleep(0.3)
    assert double.ask('')['frames'] == before


def test_a_wrong_checksum_and_a_tick_that_goes_back_are_stale_states(start):
    double, driver = start()
    driver.connect()
    for misbehaviour, words in (('wrong crc', 'wrong CRC'), ('tick back', 'tick goes back')):
        reading(driver)
        double.ask(misbehaviour)

        def refused(words=words):
            try:
                driver.read()
            except DriverError as error:
                return words in str(error) and not error.stopped
            return False

        until(refused, words)
        double.ask('end')


def test_another_variant_is_refused(start):
    double, driver = start(mode_machine=4)
    with pytest.raises(ConfigError, match=r'mode_machine: found 5 .*wanted 4 .23 joints, rev 1.0'):
        driver.connect()
    assert double.ask('')['frames'] == 0


def test_the_whole_robot_is_no_robot_for_arm_sdk(start):
    _, driver = start(other='unitree_g1')
    driver.connect()
    with pytest.raises(ConfigError, match='left_hip_pitch_joint, .* that the robot does not have'):
        check_device(load_robot('unitree_g1'), driver.device_joints(), reading(driver))


def test_arm_sdk_without_a_motion_service_is_refused(start):
    _, driver = start(service='')
    with pytest.raises(DriverError, match='nothing balances the legs'):
        driver.connect()


def test_low_level_is_refused_until_the_motion_service_is_released(start, monkeypatch, capsys):
    double, driver = start('unitree_g1', service='ai')
    with pytest.raises(DriverError, match='motion service ai .* unitree_release'):
        driver.connect()
    driver.close()
    # The command changes the environment of its process.
    config = ['--config', double.params['driver_config']]
    typed = io.StringIO(f'yes\n{release.CONFIRMATION}\n')
    monkeypatch.setattr('sys.stdin', typed)
    environment = dict(release.os.environ)
    try:
        assert release.main(config) == 1
        assert double.ask('')['service'] == 'ai'
        assert release.main(config) == 0
    finally:
        release.os.environ.clear()
        release.os.environ.update(environment)
    assert double.ask('')['service'] == ''
    assert 'goes limp' in capsys.readouterr().out
    driver.connect()
    hold(driver, load_robot('unitree_g1'), 0.2)
    until(double.stiff, 'not stiff')
    driver.close()
    until(lambda: not double.stiff(), 'still stiff after the end')


def test_a_second_program_that_commands_is_refused(start):
    double, driver = start()
    double.ask('two writers')
    with pytest.raises(DriverError, match='another program commands the robot'):
        driver.connect()
