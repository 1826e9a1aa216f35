# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Every derivative against differences, every torque against energy."""

import numpy as np
import pinocchio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.testing import bytes_kept
from vla_robot import load_robot

STEP = 1e-6
ROBOT = load_robot('humanoid32')
KINEMATICS = ROBOT.kinematics()


@st.composite
def positions(draw):
    share = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(0, 1, ROBOT.n)
    return ROBOT.limits.lower + share * (ROBOT.limits.upper - ROBOT.limits.lower)


@st.composite
def rotations(draw):
    seed = draw(st.integers(0, 2**32 - 1))
    vector = np.random.default_rng(seed).uniform(-1.5, 1.5, 3)
    return pinocchio.exp3(vector)


def along_each_joint(function, q, base):
    columns = []
    for i in range(ROBOT.n):
        offset = np.zeros(ROBOT.n)
        offset[i] = STEP
        values = []
        for sign in (1, -1):
            KINEMATICS.update(q + sign * offset, base_rotation=base)
            values.append(np.array(function()))
        columns.append((values[0] - values[1]) / (2 * STEP))
    KINEMATICS.update(q, base_rotation=base)
    return np.array(columns).T


@settings(max_examples=5, deadline=None)
@given(positions(), rotations())
def test_jacobians_are_the_derivatives_of_positions(q, base):
    numeric = along_each_joint(lambda: KINEMATICS.frame('left_hand')[1], q, base)
    assert np.allclose(KINEMATICS.frame_jacobian('left_hand')[:3], numeric, atol=1e-7)
    numeric = along_each_joint(lambda: KINEMATICS.com, q, base)
    assert np.allclose(KINEMATICS.com_jacobian, numeric, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(positions(), rotations(), st.integers(0, 2**32 - 1))
def test_velocities_follow_from_the_jacobians(q, base, seed):
    v = np.random.default_rng(seed).uniform(-2, 2, ROBOT.n)
    KINEMATICS.update(q, v, base_rotation=base, base_position=np.array([1.0, 2.0, 3.0]))
    assert np.allclose(KINEMATICS.com_velocity, KINEMATICS.com_jacobian @ v, atol=1e-12)
    for frame in ('left_foot', 'head_camera'):
        moving = KINEMATICS.frame_velocity(frame)
        assert np.allclose(moving, KINEMATICS.frame_jacobian(frame) @ v, atol=1e-12)


@settings(max_examples=5, deadline=None)
@given(positions(), rotations())
def test_gravity_torque_of_the_upper_body_is_the_slope_of_the_potential_energy(q, base):
    slope = along_each_joint(lambda: ROBOT.total_mass * 9.81 * KINEMATICS.com[2], q, base)
    torque = KINEMATICS.gravity_torque(q, base)
    upper, legs = ROBOT.groups['upper_body'], ROBOT.groups['legs']
    assert np.allclose(torque[upper], slope[upper], atol=1e-5)
    assert (torque[legs] == 0).all()


@settings(max_examples=5, deadline=None)
@given(positions())
def test_distance_gradients_are_the_derivatives_of_distances(q):
    KINEMATICS.update(q)
    distances = KINEMATICS.distances()
    # Capsules and spheres have smooth distances; a box's jump where its nearest feature does.
    smooth = ('arm', 'thigh', 'shank', 'head')
    pairs = [
        i
        for i in np.argsort(np.abs(distances))
        if all(any(s in link for s in smooth) for link in KINEMATICS.pairs[i])
        and abs(distances[i]) > 1e-3
    ][:4]
    gradients = np.array([KINEMATICS.distance_gradient(int(i)) for i in pairs])
    numeric = along_each_joint(lambda: KINEMATICS.distances()[pairs], q, None)
    assert np.allclose(gradients, numeric, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(positions())
def test_witness_points_are_as_far_apart_as_the_distance(q):
    KINEMATICS.update(q)
    distances = KINEMATICS.distances()
    nearest = int(np.argmin(np.abs(distances)))
    first, second = KINEMATICS.witness(nearest)
    assert np.linalg.norm(second - first) == pytest.approx(abs(distances[nearest]), abs=1e-6)


def test_the_base_pose_moves_every_frame_with_it():
    q = ROBOT.poses['ready']
    KINEMATICS.update(q)
    rotation, position = KINEMATICS.frame('right_hand')
    base, offset = pinocchio.exp3(np.array([0.1, -0.2, 0.3])), np.array([1.0, 2.0, 3.0])
    KINEMATICS.update(q, base_rotation=base, base_position=offset)
    moved_rotation, moved_position = KINEMATICS.frame('right_hand')
    assert np.allclose(moved_rotation, base @ rotation)
    assert np.allclose(moved_position, base @ position + offset)


def test_frames_may_be_named_as_in_robot_yaml_or_as_any_link():
    KINEMATICS.update(ROBOT.poses['standing'])
    assert np.array_equal(KINEMATICS.frame('base')[1], KINEMATICS.frame('base_link')[1])
    with pytest.raises(KeyError, match='tail'):
        KINEMATICS.frame('tail')


def test_joint_arrays_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r'q has shape \(31,\), wanted \(32,\)'):
        KINEMATICS.update(np.zeros(31))
    with pytest.raises(ValueError, match=r'v has shape'):
        KINEMATICS.update(np.zeros(32), np.zeros(33))


def test_two_calculators_of_one_robot_do_not_disturb_each_other():
    first, second = ROBOT.kinematics(), ROBOT.kinematics()
    first.update(ROBOT.poses['ready'])
    before = first.frame('left_hand')[1], first.distances()
    second.update(ROBOT.poses['standing'])
    second.distances()
    assert np.array_equal(first.frame('left_hand')[1], before[0])
    # Not to the last bit: the search starts from the last answer.
    assert np.allclose(first.distances(), before[1], atol=1e-7)


def test_no_call_keeps_memory():
    q, rotation = ROBOT.poses['standing'], np.eye(3)

    def everything():
        KINEMATICS.update(q, q, rotation, np.ones(3))
        KINEMATICS.gravity_torque(q, rotation)
        KINEMATICS.frame_velocity('left_hand')
        KINEMATICS.distances()
        return KINEMATICS.com_jacobian, KINEMATICS.com, KINEMATICS.distance_gradient(0)

    # 200 times a second, 1 byte is 0.7 MB/h. A copy that eigenpy forgot was 80.
    assert bytes_kept(everything, 5000) < 1.0
