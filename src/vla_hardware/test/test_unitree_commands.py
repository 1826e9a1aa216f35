# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver `unitree`: its stream of commands, the robot's motion service, and its file."""

import json
import re

import numpy as np
import pytest
import yaml

from vla_common.clock import ManualClock
from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_hardware.drivers.unitree import motion_service
from vla_hardware.drivers.unitree.command_stream import (
    OLDEST,
    PERIOD,
    WEIGHT_TIME,
    CommandStream,
    target_kind,
)
from vla_hardware.drivers.unitree.config import G1Config
from vla_hardware.drivers.unitree.motion_service import MotionSwitcher, ServiceError
from vla_hardware.drivers.unitree.motors import MOTORS
from vla_hardware.drivers.unitree.wire import WEIGHT

UPPER = MOTORS[12:]
SHOULDER = 15
MODE = 5


def target(n, at, kp, powered=True):
    record = np.zeros((), target_kind(n))
    record['at'], record['powered'] = at, powered
    record['q'], record['kp'], record['kd'], record['tau'] = 0.3, kp, 1.5, 2.0
    return record


def sent(stream, now, kp, **options):
    n = len(stream._slots)
    stream.offer(target(n, now, kp, **options))
    frame = stream.next(now, MODE)
    return None if frame is None else frame['motor_cmd'].copy()


@pytest.fixture
def arm_sdk():
    return CommandStream('arm_sdk', UPPER)


def test_nothing_is_sent_before_the_first_stiff_target(arm_sdk):
    assert sent(arm_sdk, 0.0, 0.0) is None
    assert arm_sdk.next(1.0, MODE) is None
    assert arm_sdk.giving_back(1.0, MODE, 0.5) is None


def test_the_weight_rises_with_stiff_targets_and_the_legs_stay_the_makers(arm_sdk):
    weights = []
    for k in range(round(WEIGHT_TIME / 0.005) + 10):
        motors = sent(arm_sdk, k * 0.005, 40.0)
        weights.append(float(motors[WEIGHT]['q']))
        assert not any(motors[name][:12].any() for name in motors.dtype.names)
    assert weights[0] <= 0.02
    assert weights[-1] == 1.0
    assert np.max(np.diff(weights)) <= 0.011
    assert motors[SHOULDER].tolist() == pytest.approx((1, 0.3, 0.0, 2.0, 40.0, 1.5, 0))


def test_a_passive_target_damps_and_the_weight_stays(arm_sdk):
    for k in range(50):
        stiff = sent(arm_sdk, k * 0.005, 40.0)
    motors = sent(arm_sdk, 0.3, 0.0)
    assert motors[WEIGHT]['q'] == stiff[WEIGHT]['q']
    assert motors[SHOULDER]['kp'] == 0.0
    assert motors[SHOULDER]['kd'] == 1.5
    assert motors[SHOULDER]['mode'] == 1


def test_a_stall_does_not_make_the_weight_jump(arm_sdk):
    first = sent(arm_sdk, 0.0, 40.0)
    later = sent(arm_sdk, 5.0, 40.0)
    assert later[WEIGHT]['q'] - first[WEIGHT]['q'] <= 0.021


@pytest.mark.parametrize('mode', ['arm_sdk', 'low_level'])
def test_without_a_fresh_target_it_damps_at_its_own_rate(mode):
    stream = CommandStream(mode, UPPER if mode == 'arm_sdk' else MOTORS)
    sent(stream, 0.0, 40.0)
    assert stream.next(OLDEST, MODE) is None
    frame = stream.next(OLDEST + 0.01, MODE)
    assert frame['motor_cmd'][SHOULDER]['kp'] == 0.0
    assert frame['motor_cmd'][SHOULDER]['tau'] == 0.0
    assert frame['motor_cmd'][SHOULDER]['kd'] == 1.5
    assert stream.next(OLDEST + 0.01 + 0.5 * PERIOD, MODE) is None
    assert stream.next(OLDEST + 0.01 + 1.01 * PERIOD, MODE) is not None


def test_a_target_that_came_too_late_is_not_sent(arm_sdk):
    sent(arm_sdk, 0.0, 40.0)
    arm_sdk.offer(target(len(UPPER), 0.1, 40.0))
    frame = arm_sdk.next(0.1 + OLDEST + 0.01, MODE)
    assert not frame['motor_cmd']['kp'].any()


def test_at_the_end_the_weight_falls_to_zero(arm_sdk):
    for k in range(300):
        sent(arm_sdk, k * 0.005, 40.0)
    now, weights = 1.5, []
    while now < 2.3:
        frame = arm_sdk.giving_back(now, MODE, 0.6)
        if frame is not None:
            weights.append(float(frame['motor_cmd'][WEIGHT]['q']))
        now += 0.004
    assert weights[0] > 0.9
    assert weights[-1] == 0.0
    assert np.max(-np.diff(weights)) <= 0.034


def test_low_level_commands_all_motors_and_off_disables_them():
    stream = CommandStream('low_level', MOTORS)
    motors = sent(stream, 0.0, 60.0)
    assert motors['mode'][:29].all()
    assert not motors['mode'][29:].any()
    assert motors[WEIGHT]['q'] == 0.0
    motors = sent(stream, 0.01, 0.0, powered=False)
    assert not motors['mode'].any()
    frame = stream.damping(0.1, MODE)
    assert not frame['motor_cmd']['kp'].any()


def test_mode_machine_is_echoed_and_the_reserve_stays_zero(arm_sdk):
    arm_sdk.offer(target(len(UPPER), 0.0, 40.0))
    frame = arm_sdk.next(0.0, 6)
    assert (frame['mode_machine'], frame['mode_pr']) == (6, 0)
    assert not frame['reserve'].any()


class Service:
    """The other side: modes that are active one after the other, and what else it answers."""

    def __init__(self, *modes, code=0, silent=False):
        self.modes, self.code, self.silent = list(modes), code, silent
        self.queue, self.requests = [], []
        self.clock = ManualClock()

    def client(self):
        return MotionSwitcher(self.ask, self.answers, self.clock, self.clock.advance)

    def ask(self, number, api_id, parameter):
        self.requests.append((api_id, parameter))
        if self.silent:
            return
        name = self.modes[0] if self.modes else ''
        if api_id == motion_service.RELEASE_MODE:
            del self.modes[:1]
        self.queue.append((number - 1, 0, '{"form":"0","name":"somebody elses"}'))
        self.queue.append((number, self.code, json.dumps({'form': '0', 'name': name})))

    def answers(self):
        queue, self.queue = self.queue, []
        return queue


def test_the_active_service_is_that_of_the_own_request():
    assert Service('ai').client().mode() == 'ai'
    assert Service().client().mode() == ''


def test_release_goes_on_until_nothing_is_active():
    service = Service('ai', 'normal')
    service.client().release()
    asked = [api_id for api_id, _ in service.requests]
    assert asked == [1001, 1003, 1001, 1003, 1001]
    with pytest.raises(ServiceError, match='normal is still active'):
        Service('ai', 'normal').client().release(attempts=1)


def test_a_service_is_selected_by_name():
    service = Service()
    service.client().select('ai')
    assert service.requests == [(1002, '{"name": "ai"}')]


@pytest.mark.parametrize(
    ('service', 'message'),
    [
        (Service(silent=True), 'does not answer'),
        (Service('ai', code=7004), 'refuses 1001 with code 7004'),
    ],
)
def test_a_service_that_refuses_or_is_silent_is_an_error(service, message):
    with pytest.raises(ServiceError, match=message):
        service.client().mode()


@pytest.mark.parametrize('data', ['', 'x', '[]', '{"name": 3}', '{}'])
def test_an_answer_that_is_none_is_an_error(data):
    with pytest.raises(ServiceError, match='answers'):
        motion_service.active_mode(data)


FILE = {'network': 'lo', 'mode_machine': 5}


def config(tmp_path, **changes):
    path = tmp_path / 'g1.yaml'
    path.write_text(yaml.safe_dump({**FILE, **changes}))
    return G1Config.load(str(path))


def test_the_network_is_an_interface_or_an_address_of_it(tmp_path):
    assert config(tmp_path).address == '127.0.0.1'
    assert config(tmp_path, network='127.0.0.1').address == '127.0.0.1'


def test_arm_sdk_has_waist_and_arms(tmp_path):
    names = [motor.name for motor in config(tmp_path).motors]
    assert len(names) == 17
    assert not any('hip' in name or 'knee' in name or 'ankle' in name for name in names)
    assert len(config(tmp_path, mode='low_level').motors) == 29
    assert len(config(tmp_path, mode='low_level', mode_machine=4).motors) == 23


WRONG = {
    'a driver of a Unitree G1 without a file': None,
    'an address that this computer does not have': {'network': '192.0.2.7'},
    'a variant of the G1 that is not known': {'mode_machine': 77},
    'a mode that the G1 does not have': {'mode': 'dance'},
    'a button that the remote control does not have': {'stop_buttons': ['L2+Q']},
    'a G1 without a stop button': {'stop_buttons': []},
}


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_file_is_one_error(case, tmp_path):
    changes = WRONG[case]
    with pytest.raises(ConfigError) as error:
        G1Config.load('') if changes is None else config(tmp_path, **changes)
    documented('Drivers', case, error.value, tmp_path, re.compile('address: .*'))
