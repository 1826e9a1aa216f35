# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Goals reach their target, keep clear of the body, and change little with the place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_models.goals import CONTORTED, GRID, Goals, Target
from vla_models.inverse_kinematics import FINGERS, ArmSolver, tip_at
from vla_models.scenes import CUBE_X, CUBE_Y, possible, sample_scene
from vla_models.tasks import ALL_TASKS, HANDS, Task, TaskKind
from vla_robot import load_robot
from vla_sim import World

ROBOT = load_robot('humanoid32')
GOALS = Goals(ROBOT)
KINEMATICS = ROBOT.kinematics()
places = st.tuples(st.floats(*CUBE_X), st.floats(*CUBE_Y), st.floats(0.045, 0.12))


def posture(hand: str, joints: np.ndarray) -> np.ndarray:
    q = ROBOT.poses['ready'].copy()
    q[ROBOT.groups[f'{hand}_arm']] = joints
    return q


def whole_clearance(q: np.ndarray) -> float:
    """m, by the robot model's own list of all pairs."""
    KINEMATICS.update(q)
    return float(KINEMATICS.distances().min())


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(HANDS), places)
def test_either_hand_can_point_at_any_place_where_a_cube_may_lie(hand, place):
    target = Target(np.array(place), 0.045)
    assert GOALS.feasible(Task(TaskKind.POINT, hand, 'red'), target)
    q = posture(hand, GOALS.point(hand, target).joints)
    KINEMATICS.update(q)
    rotation, tip = KINEMATICS.frame(f'{hand}_hand')
    ray = target.position - tip
    angle = np.arccos(np.clip(rotation @ FINGERS @ ray / np.linalg.norm(ray), -1, 1))
    # The cell's size, seen from the finger tips, comes on top of what the solver leaves.
    assert angle < 0.03 + GRID / np.linalg.norm(ray)
    assert whole_clearance(q) > 0.0


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(HANDS),
    st.tuples(st.floats(*CUBE_X), st.floats(0.05, CUBE_Y[1]), st.floats(0.045, 0.12)),
)
def test_a_hand_reaches_every_place_on_its_side_without_contortion(hand, place):
    side = 1.0 if hand == 'left' else -1.0
    target = Target(np.array(place) * [1.0, side, 1.0], 0.045)
    assert GOALS.feasible(Task(TaskKind.REACH, hand, 'red'), target)
    joints = GOALS.reach(hand, target).joints
    assert np.abs(joints - ROBOT.poses['ready'][ROBOT.groups[f'{hand}_arm']]).max() <= CONTORTED
    assert whole_clearance(posture(hand, joints)) > 0.0


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(HANDS), places, st.integers(0, 2**31))
def test_neighbouring_places_have_neighbouring_goals_for_pointing(hand, place, seed):
    near = np.array(place) + np.random.default_rng(seed).uniform(-GRID, GRID, 3)
    first, second = (
        GOALS.point(hand, Target(np.asarray(p), 0.045)).joints for p in (np.array(place), near)
    )
    assert np.abs(first - second).max() < 0.1


def test_a_cube_out_of_reach_is_not_feasible_for_the_arm_but_can_be_looked_at():
    far = Target(np.array([0.7, 0.1, 0.085]), 0.045)
    assert not GOALS.feasible(Task(TaskKind.REACH, 'left', 'red'), far)
    assert GOALS.feasible(Task(TaskKind.LOOK, None, 'red'), far)


@pytest.mark.parametrize('hand', HANDS)
def test_a_place_inside_the_torso_is_not_feasible(hand):
    inside = Target(np.array([0.0, 0.0, 0.3]), 0.045)
    assert not GOALS.feasible(Task(TaskKind.REACH, hand, 'red'), inside)


def test_a_goal_next_to_the_body_keeps_its_distance():
    """Across the body the forearm comes close to the torso; without the rows it would touch."""
    place = np.array([0.36, 0.0, 0.13])
    arm = ArmSolver(ROBOT, 'left', GOALS.lower, GOALS.upper)
    joints = arm.solve(ROBOT.poses['ready'], tip_at('left', place, np.array([1.0, 0, -1])), 0.02)
    q = posture('left', joints)
    assert 0.005 < arm.clearance(q) < 0.03
    KINEMATICS.update(q)
    assert np.linalg.norm(KINEMATICS.frame('left_hand')[1] - place) < 0.02


def test_the_tasks_of_a_scene_are_about_its_cubes_and_possible():
    scene = sample_scene(np.random.default_rng(4))
    world = World(ROBOT, scene)
    world.reset('standing')
    tasks = list(possible(world, GOALS, ALL_TASKS))
    colours = {cube.color for cube in scene.cubes}
    assert {task.colour for task in tasks if task.colour} <= colours
    assert {task for task in ALL_TASKS if task.colour is None} <= set(tasks)
    rotation, position = world.frame_pose('base')
    for task in tasks:
        if task.colour is not None:
            name = f'{task.colour}_cube'
            place = rotation.T @ (world.cube_position(name) - position)
            target = Target(place, scene.cube(name).size)
            assert GOALS.feasible(task, GOALS.upright(world.joint_position, target))
