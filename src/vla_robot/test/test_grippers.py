# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A gripper: its joints as one opening and one force, and its section of robot.yaml."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_robot import Gripper, load_robot

PANDA = Path(__file__).parents[1] / 'robots' / 'panda'


@pytest.fixture(scope='module')
def panda():
    return load_robot(PANDA)


def bent() -> Gripper:
    """One jaw on joint 1 of 2, steeper near the end; it opens as its angle falls."""
    openings, angles = np.array([0.0, 0.02, 0.06]), np.array([[1.0], [0.8], [0.0]])
    return Gripper('jaw', np.array([1]), ('j',), openings, angles, 20.0, 5.0, 0.1, 'hold')


@settings(deadline=None)
@given(st.floats(0.0, 0.06))
def test_an_opening_is_found_again_from_the_joints(opening):
    gripper = bent()
    q = np.zeros(2)
    q[1] = gripper.joint_positions(opening)[0]
    assert gripper.opening(q) == pytest.approx(opening, abs=1e-12)


@settings(deadline=None)
@given(st.floats(0.0, 0.06), st.floats(0.1, 20.0))
def test_no_effort_and_no_speed_of_the_joints_is_more_than_the_gripper_may(opening, force):
    gripper = bent()
    effort = np.zeros(2)
    effort[1] = gripper.joint_effort(force)[0]  # the sense in which this one closes
    assert abs(gripper.closing_force(effort, opening)) <= force * (1 + 1e-9)
    speed = gripper.joint_speed(gripper.speed) / np.abs(gripper.slope(opening))
    assert (speed <= gripper.speed * (1 + 1e-9)).all()


def test_two_fingers_press_with_the_force_of_one(panda):
    """Each on its side of the object: 30 N here hold 30 N there."""
    gripper = panda.grippers['hand']
    effort = np.zeros(panda.n)
    effort[gripper.joints] = -30.0
    assert gripper.closing_force(effort, 0.04) == pytest.approx(30.0)
    assert gripper.joint_effort(30.0) == pytest.approx([30.0, 30.0])


def test_force_and_speed_of_the_gripper_are_the_limits_of_its_joints(panda):
    joints = panda.grippers['hand'].joints
    assert panda.limits.effort[joints] == pytest.approx([70.0, 70.0])
    assert panda.limits.velocity[joints] == pytest.approx([0.05, 0.05])
    assert list(panda.gripper_joints) == list(joints)


def test_a_robot_without_grippers_has_none():
    robot = load_robot('humanoid32')
    assert not robot.grippers
    assert robot.gripper_joints.size == 0


CASES = {
    'openings_in_mm': (r'openings: \[0.0, 0.08\]', 'openings: [0, 80]', 'openings[1]'),
    'openings_that_fall': (r'openings: \[0.0, 0.08\]', 'openings: [0.08, 0.0]', 'openings'),
    'unknown_joint_of_a_gripper': (r'positions: \{panda_finger_joint1', 'positions: {thumb',
                                   'positions.thumb'),
    'positions_beyond_the_limits': (r'panda_finger_joint1: \[0.0, 0.04\]',
                                    'panda_finger_joint1: [0.0, 0.08]',
                                    'positions.panda_finger_joint1'),
    'positions_that_turn_back': (r'panda_finger_joint1: \[0.0, 0.04\]',
                                 'panda_finger_joint1: [0.04, 0.04]',
                                 'positions.panda_finger_joint1'),
    'more_force_than_the_joints_have': (r'force: 70', 'force: 700', 'force'),
    'more_grip_force_than_force': (r'grip_force: 30', 'grip_force: 90', 'grip_force'),
    'more_speed_than_the_joints_have': (r'speed: 0.1\n', 'speed: 1.0\n', 'speed'),
    'unknown_estop_of_a_gripper': (r'    estop: hold', '    estop: drop', 'estop'),
    'gripper_named_as_a_joint': (r'\n  hand:\n    openings', '\n  panda_joint1:\n    openings', ''),
}  # fmt: skip


def changed(tmp_path, pattern, replacement):
    directory = tmp_path / 'panda'
    shutil.copytree(PANDA, directory)
    path = directory / 'robot.yaml'
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, 'the case does not change the file'
    path.write_text(text)
    return directory


@pytest.mark.parametrize('case', CASES)
def test_a_malformed_gripper_is_one_error_with_its_key(case, tmp_path):
    pattern, replacement, key = CASES[case]
    directory = changed(tmp_path, pattern, replacement)
    with pytest.raises(ConfigError) as caught:
        load_robot(directory)
    assert str(caught.value.file) == str(directory / 'robot.yaml')
    assert caught.value.key.startswith('grippers.')
    assert caught.value.key.endswith(key)
    documented('Grippers', case, caught.value, directory)


def test_motors_that_an_estop_switches_off_cannot_keep_a_grip(tmp_path):
    directory = changed(tmp_path, r'  estop: damp\n', '  estop: damp_then_off\n')
    with pytest.raises(ConfigError, match='grippers.hand.estop: passive') as caught:
        load_robot(directory)
    documented('Grippers', 'grip on motors that are off', caught.value, directory)
