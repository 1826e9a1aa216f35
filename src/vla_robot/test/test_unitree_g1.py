# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot directories of the Unitree G1."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from vla_robot import load_robot

PACKAGE = Path(__file__).parents[1]
NAMES = ('unitree_g1', 'unitree_g1_upper')


@pytest.fixture(scope='module', params=NAMES)
def g1(request):
    return load_robot(request.param)


@pytest.fixture(scope='module')
def whole():
    return load_robot('unitree_g1')


@pytest.mark.parametrize('name', NAMES)
def test_the_urdf_is_the_one_that_the_tool_writes(name, monkeypatch):
    spec = importlib.util.spec_from_file_location('tool', PACKAGE / 'tools/make_unitree_g1.py')
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'tool', tool)  # dataclasses look there
    spec.loader.exec_module(tool)
    written = (PACKAGE / 'robots' / name / 'robot.urdf').read_text('utf-8')
    assert written == tool.urdf(name.endswith('upper'))


def test_it_weighs_what_the_maker_publishes(g1):
    # The sum of the maker's links, without two decorations of 1 g each; 35 kg on the data sheet.
    assert g1.total_mass == pytest.approx(33.341, abs=0.003)


def test_the_upper_body_is_that_of_the_whole_robot(whole):
    upper = load_robot('unitree_g1_upper')
    assert upper.joint_names == whole.joint_names[12:]
    for name in ('lower', 'upper', 'velocity', 'effort'):
        expected = getattr(whole.limits, name)[12:]
        np.testing.assert_array_equal(getattr(upper.limits, name), expected)
    standing = whole.poses['standing']
    np.testing.assert_array_equal(upper.poses['standing'], standing[12:])
    kinematics = [robot.kinematics() for robot in (upper, whole)]
    kinematics[0].update(upper.poses['ready'])
    kinematics[1].update(whole.poses['ready'])
    hands = [k.frame('left_hand')[1] for k in kinematics]
    feet = whole.kinematics()
    feet.update(standing)
    # The stand is on the ground, as the soles are.
    assert hands[0][2] == pytest.approx(hands[1][2] - feet.frame('left_foot')[1][2], abs=1e-3)


def test_standing_its_soles_are_level_and_its_mass_is_above_their_middle(whole):
    kinematics = whole.kinematics()
    kinematics.update(whole.poses['standing'])
    for foot in ('left_foot', 'right_foot'):
        rotation, position = kinematics.frame(foot)
        np.testing.assert_allclose(rotation, np.eye(3), atol=1e-9)
    middle = position[0] + whole.foot_boxes['right_foot'].center[0]
    assert kinematics.com[0] == pytest.approx(middle, abs=0.01)


def test_poses_lie_inside_the_soft_limits(g1):
    for pose in g1.poses.values():
        assert (pose >= g1.limits.lower + g1.soft_margin).all()
        assert (pose <= g1.limits.upper - g1.soft_margin).all()


def test_left_and_right_are_mirror_images(whole):
    for name in whole.joint_names:
        if not name.startswith('left_'):
            continue
        left, right = whole.index[name], whole.index[name.replace('left', 'right', 1)]
        limits = whole.limits
        turned = name in ('left_hip_roll_joint', 'left_shoulder_roll_joint')
        expected = (
            (-limits.upper[right], -limits.lower[right])
            if turned
            else (limits.lower[right], limits.upper[right])
        )
        assert (limits.lower[left], limits.upper[left]) == expected
        assert limits.effort[left] == limits.effort[right]
