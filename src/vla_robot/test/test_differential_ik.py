# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Differential inverse kinematics: reaching, limits, singular and unreachable poses."""

import numpy as np
import pinocchio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vla_robot import load_robot
from vla_robot.differential_ik import PoseFollower
from vla_robot.quadratic_program import solve

STEP = 0.1
SLACK = 1e-9
ROBOTS = {name: load_robot(name) for name in ('ur5e', 'panda', 'so101', 'humanoid32')}


def follower_of(name, turned=True):
    robot = ROBOTS[name]
    frames = ('left_hand', 'right_hand') if name == 'humanoid32' else ('hand',)
    joints = sorted({j for frame in frames for j in robot.chain(frame)})
    return robot, joints, frames, PoseFollower(robot, joints, frames, [turned] * len(frames))


def check_limits(robot, joints, start, found, step=STEP):
    limits, margin = robot.limits, robot.soft_margin
    assert np.isfinite(found.positions).all()
    path = np.vstack([start[joints], found.positions])
    speed = np.abs(np.diff(path, axis=0)) / step
    assert (speed <= limits.velocity[joints] + SLACK / step).all()
    low, high = (limits.lower + margin)[joints], (limits.upper - margin)[joints]
    # A start outside of its margin comes back, and goes no further out.
    assert (found.positions >= np.minimum(low, start[joints]) - SLACK).all()
    assert (found.positions <= np.maximum(high, start[joints]) + SLACK).all()


@pytest.mark.parametrize('name', ['ur5e', 'panda', 'humanoid32'])
def test_a_straight_line_is_followed_to_a_tenth_of_a_millimetre(name):
    robot, joints, frames, follower = follower_of(name)
    q = robot.poses['ready'].copy()
    rotations, origins = follower.poses(q, frames)
    share = np.linspace(0.0, 1.0, 17)[1:, None, None]
    line = origins + share * np.array([0.03, 0.05, 0.08])
    found = follower.follow(q, np.tile(rotations, (16, 1, 1, 1)), line, STEP)
    assert found.position_error.max() < 2e-4
    assert found.rotation_error.max() < 1e-3
    check_limits(robot, joints, q, found)
    q[joints] = found.positions[-1]
    assert np.abs(follower.poses(q, frames)[1] - line[-1]).max() < 2e-4


def test_an_arm_of_five_joints_follows_positions_with_a_free_orientation():
    robot, _, frames, follower = follower_of('so101', turned=False)
    q = robot.poses['standing'].copy()
    rotations, origins = follower.poses(q, frames)
    goal = origins + np.array([0.02, 0.03, 0.02])
    found = follower.follow(q, rotations[None], goal[None], 1.0)
    assert found.position_error[-1] < 2e-4
    assert found.rotation_error[-1] == 0.0


def test_a_target_out_of_reach_is_approached_and_then_held_without_trembling():
    robot, joints, frames, follower = follower_of('ur5e')
    q = robot.poses['ready'].copy()
    rotations, origins = follower.poses(q, frames)
    far = np.tile(origins + np.array([3.0, 0.0, 0.0]), (60, 1, 1))
    found = follower.follow(q, np.tile(rotations, (60, 1, 1, 1)), far, STEP)
    check_limits(robot, joints, q, found)
    assert 1.0 < found.position_error[-1] < found.position_error[0]
    late = np.abs(np.diff(found.positions[30:], axis=0)).max()
    assert late < 1e-3


def test_beside_a_singular_posture_the_joints_move_no_faster_than_their_limits_and_slow_down():
    """The UR5e with its arm stretched: the tool cannot move along the arm, outwards at all."""
    robot, joints, frames, follower = follower_of('ur5e')
    q = np.zeros(robot.n)
    rotations, origins = follower.poses(q, frames)
    outward = origins / np.linalg.norm(origins)
    sway = 0.02 * np.sin(np.linspace(0.0, 12.0, 60))[:, None, None]
    found = follower.follow(q, np.tile(rotations, (60, 1, 1, 1)), origins + sway * outward, STEP)
    check_limits(robot, joints, q, found)
    speed = np.abs(np.diff(found.positions, axis=0)).max() / STEP
    assert speed < 0.9 * robot.limits.velocity[joints].max()


def test_joints_outside_of_their_range_come_back_at_their_own_speed():
    robot, joints, frames, follower = follower_of('panda')
    q = robot.poses['ready'].copy()
    q[3] = robot.limits.upper[3] + 0.4
    rotations, origins = follower.poses(q, frames)
    found = follower.follow(
        q, np.tile(rotations, (20, 1, 1, 1)), np.tile(origins, (20, 1, 1)), STEP
    )
    check_limits(robot, joints, q, found)
    assert found.positions[-1, 3] <= robot.limits.upper[3]


@pytest.mark.parametrize('name', ['ur5e', 'panda', 'humanoid32'])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_is_wanted_the_joints_stay_in_their_limits(name, data):
    robot, joints, frames, follower = follower_of(name)
    share = data.draw(arrays(float, robot.n, elements=st.floats(-0.1, 1.1)))
    q = robot.limits.lower + share * (robot.limits.upper - robot.limits.lower)
    shape = (4, len(frames), 3)
    goals = data.draw(arrays(float, shape, elements=st.floats(-10.0, 10.0)))
    turns = data.draw(arrays(float, shape, elements=st.floats(-7.0, 7.0)))
    rotations = np.array([[pinocchio.exp3(turn) for turn in row] for row in turns])
    found = follower.follow(q, rotations, goals, STEP)
    check_limits(robot, joints, q, found)


def test_a_program_that_is_not_finite_or_has_no_answer_has_none():
    eye, one = np.eye(2), np.ones(2)
    assert solve(eye, -one, -one, one) == pytest.approx(one)
    assert solve(eye, np.array([np.nan, 0.0]), -one, one) is None
    assert solve(eye, -one, -one, np.array([1.0, np.nan])) is None
    assert solve(eye, -one, one, -one) is None
    # x + y >= 3 with both at most 1
    row = np.ones((1, 2))
    low, high = np.array([-1.0, -1.0, 3.0]), np.array([1.0, 1.0, 1e30])
    assert solve(eye, -one, low, high, row) is None
