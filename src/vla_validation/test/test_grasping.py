# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The short form of `ros2 run vla_validation grasping`, and that its criterion can fail."""

import json

import numpy as np
import pytest

from vla_robot import load_robot
from vla_validation.grasping import command
from vla_validation.grasping.postures import HandPostures, UnreachableError, above

ROBOT = load_robot('panda')


def test_a_cube_is_picked_held_and_set_down(capsys):
    status = command.main(['--placements', '1', '--hold', '1', '--json'])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 0
    assert (found['succeeded'], found['beyond_limits'], found['failures']) == (1, 0, [])
    assert found['slip_mm']['most'] < 2.0


def test_without_a_grip_nothing_is_lifted(capsys):
    arguments = ['--placements', '1', '--hold', '1', '--force', '0.1', '--json']
    assert command.main(arguments) == 1
    (failure,) = json.loads(capsys.readouterr().out.splitlines()[-1])['failures']
    assert failure['reason'].startswith('lifted by')


def test_a_robot_without_a_gripper_is_refused(capsys):
    assert command.main(['--robot', 'ur5e']) == 2
    assert 'grippers: found none' in capsys.readouterr().err


def test_a_posture_puts_the_hand_where_it_was_wanted_and_says_where_it_cannot():
    postures, kinematics = HandPostures(ROBOT), ROBOT.kinematics()
    wanted = np.array([0.5, 0.1, 0.2])
    kinematics.update(postures.solve(ROBOT.poses['ready'], wanted, above(-0.4)))
    rotation, position = kinematics.frame('hand')
    assert np.allclose(position, wanted, atol=1e-3)
    assert np.allclose(rotation, above(-0.4), atol=1e-2)
    with pytest.raises(UnreachableError, match='no posture'):
        postures.solve(ROBOT.poses['ready'], np.array([1.5, 0.0, 0.2]), above(0.0))
