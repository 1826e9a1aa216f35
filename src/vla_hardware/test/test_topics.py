# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver `topics`: what becomes of messages, and its file. The contract runs it on a double."""

import functools
import re

import numpy as np
import pytest
import yaml
from simulated import ROBOT

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_hardware.drivers.base import DriverError
from vla_hardware.drivers.topic_state import TopicConfig, TopicState

NAMES = [*ROBOT.joint_names[::-1], 'finger']
POSITION = np.arange(len(NAMES)) * 0.01
NOTHING = np.zeros(0)
FILE = {
    'joint_states': '/robot/joint_states',
    'command': '/forward_position_controller/commands',
    'joints': list(ROBOT.joint_names),
}


def config(tmp_path, **changes):
    path = tmp_path / 'topics.yaml'
    path.write_text(yaml.safe_dump({**FILE, **changes}))
    return TopicConfig.load(str(path), 0)


@pytest.fixture
def state(tmp_path):
    return TopicState(ROBOT, config(tmp_path))


def offer(state, now=1.0, names=NAMES, position=POSITION, velocity=NOTHING, stamp=None):
    stamp_ns = round((now if stamp is None else stamp) * 1e9)
    return state.offer_joints(names, position, velocity, NOTHING, stamp_ns, now)


def test_joints_are_taken_by_name_and_others_are_left_out(state):
    assert offer(state)
    reading = state.reading(1.01)
    assert reading.position[0] == POSITION[NAMES.index(ROBOT.joint_names[0])]
    assert len(reading.position) == ROBOT.n
    assert not reading.velocity.any()
    other = [*NAMES[3:], *NAMES[:3]]
    offer(state, 1.02, other, np.array([*POSITION[3:], *POSITION[:3]]))
    np.testing.assert_array_equal(state.reading(1.02).position, reading.position)


def test_a_velocity_that_is_not_sent_is_the_derivative_of_the_position(state):
    offer(state)
    offer(state, 1.01, position=POSITION + 0.002)
    np.testing.assert_allclose(state.reading(1.01).velocity, 0.2)
    offer(state, 1.02, velocity=np.full(len(NAMES), 0.5))
    np.testing.assert_allclose(state.reading(1.02).velocity, 0.5)


def test_a_state_is_an_error_when_it_is_old_however_often_it_is_sent_again(state):
    with pytest.raises(DriverError, match='nothing was received'):
        state.reading(1.0)
    offer(state)
    for now in (1.02, 1.04, 1.06):
        assert not offer(state, now, stamp=1.0)
    with pytest.raises(DriverError, match='60 ms old .joint states that are repeated'):
        state.reading(1.06)


def test_an_older_state_is_out_of_order_and_a_clock_that_was_set_begins_again(state):
    offer(state, 10.0)
    assert not offer(state, 10.01, stamp=9.9)
    assert offer(state, 10.02, stamp=3.0)


@pytest.mark.parametrize(
    'change',
    [
        {'position': np.where(POSITION[2] == POSITION, np.nan, POSITION)},
        {'velocity': np.full(len(NAMES), np.inf)},
        {'position': POSITION[:-3]},
        {'names': NAMES[3:], 'position': POSITION[3:]},
    ],
    ids=['nan', 'infinite_velocity', 'short', 'joints_missing'],
)
def test_what_cannot_be_trusted_is_dropped_and_counted(state, change):
    offer(state)
    before = state.reading(1.0).position.copy()
    assert not offer(state, 1.01, **change)
    assert state.rejected == 1
    np.testing.assert_array_equal(state.reading(1.01).position, before)
    with pytest.raises(DriverError, match=re.escape(state.last_rejection)):
        state.reading(1.2)


def test_an_imu_and_contacts_are_waited_for_where_they_are_named(tmp_path):
    contacts = {'left': '/robot/left', 'right': '/robot/right'}
    state = TopicState(ROBOT, config(tmp_path, imu='/robot/imu', contacts=contacts))
    offer(state)
    with pytest.raises(DriverError, match='/robot/imu'):
        state.reading(1.0)
    xyzw = np.array([0.0, 0.0, 0.6, 0.8])
    assert state.offer_imu(xyzw, np.zeros(3), np.array([0.0, 0.0, 9.8]), True, 1.0)
    with pytest.raises(DriverError, match='/robot/left'):
        state.reading(1.0)
    for side in ('left', 'right'):
        assert state.offer_wrench(side, np.array([0.0, 0.0, 250.0, 0.0, 0.0, 0.0]), 1.0)
    reading = state.reading(1.0)
    np.testing.assert_array_equal(reading.orientation, [0.8, 0.0, 0.0, 0.6])
    assert reading.left_wrench[2] == 250.0
    assert not state.offer_imu(xyzw * np.nan, np.zeros(3), np.zeros(3), True, 1.0)


WRONG = {
    'a driver of topics without a file': None,
    'a topic that this workspace publishes': {'joint_states': '/joint_states'},
    'a misspelt key of the topics': {'comand': '/x'},
    'a contact of one foot': {'contacts': {'left': '/robot/left'}},
    'a state that may be a second old': {'max_age': 1.0},
}


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_file_is_one_error(case, tmp_path):
    changes = WRONG[case]
    load = functools.partial(TopicConfig.load, '', 0)
    if changes is not None:
        load = functools.partial(config, tmp_path, **changes)
    with pytest.raises(ConfigError) as error:
        load()
    documented('Drivers', case, error.value, tmp_path)


def test_a_robot_in_a_domain_of_its_own_may_use_the_usual_names(tmp_path):
    assert config(tmp_path, joint_states='/joint_states', domain_id=5).domain_id == 5
