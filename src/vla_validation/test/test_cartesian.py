# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A hand that follows a square through the classes of the robot, and one that cannot."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from vla_models.robot_stack import RobotStack
from vla_models.rollout import TIMESTEP, Rollout
from vla_robot import load_robot
from vla_sim import Scene, World
from vla_validation.cartesian import command
from vla_validation.cartesian.square import PathObserver, Square, SquarePolicy

SPACES = (
    ['--kind', 'end_effector_pose', '--rotation', 'rot6d_rows'],
    ['--kind', 'end_effector_delta', '--rotation', 'rpy', '--relative-to', 'previous', '--tool'],
)


@pytest.mark.parametrize('options', SPACES, ids=lambda options: options[1])
def test_a_hand_follows_a_square_and_the_instruction_is_done(options, capsys):
    """0.6 mm beside the path and 1 mm behind the target at most when this was written."""
    given = [*options, '--side', '0.06', '--duration', '4', '--json']
    assert command.main(given) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert found['ending'] == 'DONE'
    assert found['beside_mm']['max'] < 3.0 and found['behind_mm']['max'] < 10.0
    assert found['chunks_not_followed'] == found['beyond_limits'] == found['rejected'] == 0


def test_an_instruction_is_not_done_where_the_hand_cannot_be():
    """The policy says done after a second; the hand is held half a metre short of its target."""
    robot = load_robot('ur5e')
    options = SimpleNamespace(
        frame='hand', kind='end_effector_pose', rotation='none', tool=False, relative_to='observed'
    )
    world = World(robot, Scene.default(), TIMESTEP)
    world.reset('ready')
    away = Square(np.array([0.0, 0.0, 1.6]), np.zeros(3), np.zeros(3), 1.0)
    policy = SquarePolicy(robot, command.space_of(robot, options), away)
    observer = PathObserver(world, 'hand')
    run = Rollout(RobotStack(robot), world, policy).run('go there', observer, 4.0)
    assert run.ending is None
    assert run.violations == 0
    assert policy.not_followed > 40
    assert np.linalg.norm(observer.points[-1] - away.corner) > 0.3


def test_a_frame_that_the_robot_lacks_is_refused(capsys):
    assert command.main(['--end-effector', 'fist']) == 2
    assert 'ur5e has no frame fist: use --end-effector' in capsys.readouterr().err
