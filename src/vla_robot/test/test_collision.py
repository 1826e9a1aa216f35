# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pairs of shapes: rows against differences, distance bounds against what joints really do."""

import coal
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kinematics import ROBOT, positions

from vla_robot.collision import CollisionModel, Obstacle, wrench
from vla_robot.synthetic import synthetic_robot

MODEL = CollisionModel(ROBOT)
STEP = 1e-6


def distances(q, model=MODEL):
    model.place(q)
    return np.array([model.measure(pair).min_distance for pair in range(len(model.pairs))])


@settings(max_examples=10, deadline=None)
@given(positions())
def test_one_pair_at_a_time_measures_what_all_at_once_measure(q):
    kinematics = ROBOT.kinematics()
    kinematics.update(q)
    assert MODEL.pairs == kinematics.pairs
    assert np.allclose(distances(q), kinematics.distances(), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(positions(), st.integers(0, 2**32 - 1), st.floats(1e-3, 1.0))
def test_no_distance_changes_by_more_than_its_bounds_say(q, seed, size):
    move = np.random.default_rng(seed).uniform(-size, size, ROBOT.n)
    other = np.clip(q + move, ROBOT.limits.lower, ROBOT.limits.upper)
    before, after = distances(q), distances(other)
    apart = (before > 0) & (after > 0)
    change = np.abs(after - before)[apart]
    assert (change <= (MODEL.distance_bounds @ np.abs(other - q))[apart] + 1e-6).all()


@settings(max_examples=10, deadline=None)
@given(positions(), st.integers(0, 2**32 - 1))
def test_rows_are_the_slopes_of_the_distances(q, seed):
    direction = np.random.default_rng(seed).normal(0.0, 1.0, ROBOT.n)
    MODEL.place(q)
    # Capsules have smooth distances; a box's slope jumps where its nearest feature does.
    smooth = ('arm', 'thigh', 'shank', 'head')
    near, wrenches = [], []
    for pair, names in enumerate(MODEL.pairs):
        result = MODEL.measure(pair)
        if all(any(s in name for s in smooth) for name in names) and result.min_distance > 1e-3:
            near.append(pair)
            wrenches.append(wrench(result))
    slopes = MODEL.rows(np.array(wrenches), MODEL.signs[near]) @ direction
    numeric = (distances(q + STEP * direction) - distances(q - STEP * direction))[near] / (2 * STEP)
    assert np.allclose(slopes, numeric, atol=1e-4)


def test_the_centre_of_mass_moves_as_its_rows_say_and_never_more_than_its_bounds():
    rng = np.random.default_rng(4)
    q = rng.uniform(ROBOT.limits.lower, ROBOT.limits.upper)
    direction = rng.normal(0.0, 1.0, ROBOT.n)
    MODEL.place(q, mass=True)
    before = MODEL.com.copy()
    rows = MODEL.com_rows(np.eye(3))
    MODEL.place(q + STEP * direction, mass=True)
    moved = (MODEL.com - before) / STEP
    assert np.allclose(rows @ direction, moved, atol=1e-4)
    assert np.linalg.norm(moved) <= MODEL.com_distance_bounds() @ np.abs(direction)


def test_a_frame_moves_with_the_joints_that_carry_it_and_no_more_than_its_bounds():
    frame = MODEL.frame_id('left_hand')
    signs, bounds = MODEL.frame_signs(frame), MODEL.frame_distance_bounds(frame)
    carried = {ROBOT.joint_names[i] for i in np.flatnonzero(signs)}
    assert carried == {n for n in ROBOT.joint_names if n.startswith(('torso', 'left_')) } - {
        n for n in ROBOT.joint_names if n.startswith(('left_hip', 'left_knee', 'left_ankle'))
    }  # fmt: skip
    rng = np.random.default_rng(5)
    for _ in range(20):
        q = rng.uniform(ROBOT.limits.lower, ROBOT.limits.upper)
        other = rng.uniform(ROBOT.limits.lower, ROBOT.limits.upper)
        MODEL.place(q)
        point = MODEL.frame(frame)[1].copy()
        MODEL.place(other)
        moved = np.linalg.norm(MODEL.frame(frame)[1] - point)
        assert moved <= bounds @ np.abs(other - q) + 1e-9
    with pytest.raises(KeyError):
        MODEL.frame_id('tail')


def test_an_obstacle_stands_where_its_anchor_is():
    ball = Obstacle(
        'ball',
        'base_link',
        ((coal.Sphere(0.1), np.eye(3), np.array([0.0, 5.0, 0.0])),),
        ('left_palm',),
    )
    model = CollisionModel(ROBOT, (ball,))
    assert model.pairs[-1] == ('ball', 'left_palm')
    model.place(ROBOT.poses['standing'])
    _, point = model.frame(model.frame_id('left_palm'))
    # The palm is a box; from 5 m away it is nearly a point.
    away = np.linalg.norm(np.array([0.0, 5.0, 0.0]) - point) - 0.1
    assert model.measure(len(model.pairs) - 1).min_distance == pytest.approx(away, abs=0.2)
    with pytest.raises(KeyError):
        CollisionModel(ROBOT, (Obstacle('ball', 'tail', ball.shapes, ball.links),))


@pytest.mark.parametrize('joints', [1, 7, 32])
def test_a_generated_robot_has_the_requested_joints(joints):
    robot = synthetic_robot(joints)
    assert robot.n == joints
    kinematics = robot.kinematics()
    kinematics.update(robot.poses['ready'])
    assert (kinematics.distances() > 0.0).all()


def test_a_generated_robot_has_the_requested_nearest_pairs():
    all_pairs = synthetic_robot(14)
    robot = synthetic_robot(14, 10)
    assert len(robot.collision_pairs) == 10
    kinematics = all_pairs.kinematics()
    kinematics.update(all_pairs.poses['ready'])
    distance = dict(zip(all_pairs.collision_pairs, kinematics.distances(), strict=True))
    kept = max(distance[pair] for pair in robot.collision_pairs)
    left = [d for pair, d in distance.items() if pair not in robot.collision_pairs]
    assert kept <= min(left)
    with pytest.raises(ValueError, match='pairs'):
        synthetic_robot(7, 1000)
    with pytest.raises(ValueError, match='joints'):
        synthetic_robot(0)
