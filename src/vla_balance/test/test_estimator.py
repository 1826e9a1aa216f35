# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The estimate against the simulator's ground truth, and the geometry behind it."""

import mujoco
import numpy as np
import pytest
from standing import ROBOT, Standing


def test_estimate_agrees_with_the_simulators_truth_while_the_robot_sways():
    s = Standing()
    s.run(0.5)
    s.push('back', 8.0)
    root = s.world.model.body(ROBOT.frames['base']).id
    feet = [s.world.frame_pose(foot)[1] for foot in ('left_foot', 'right_foot')]
    centre = ROBOT.foot_boxes['left_foot'].center[0]
    ground_x = 0.5 * (feet[0][0] + feet[1][0]) + centre
    position, velocity = [], []
    for _ in range(120):
        data = s.world.data
        mujoco.mj_forward(s.world.model, data)
        mujoco.mj_subtreeVel(s.world.model, data)
        true_com = data.subtree_com[root].copy()
        true_velocity = data.subtree_linvel[root].copy()
        s.run(0.005)
        e = s.estimates[-1]  # of the state before the step
        position.append(e.com - (true_com - [ground_x, 0.0, 0.0]))
        velocity.append(e.com_velocity - true_velocity)
    assert np.abs(position).max() < 0.006
    # What remains is the low-pass (20 ms): the sway's peak is 0.077 m/s.
    assert np.median(np.abs(velocity)) < 0.01
    assert max(np.linalg.norm(e.com_velocity) for e in s.estimates) > 0.05


def test_standing_still_zmp_capture_point_and_centre_of_mass_are_above_each_other():
    s = Standing()
    s.run(4.0)
    e = s.estimates[-1]
    np.testing.assert_allclose(e.zmp, e.com[:2], atol=0.003)
    np.testing.assert_allclose(e.capture_point, e.com[:2], atol=0.003)
    assert e.left_contact
    assert e.right_contact
    assert e.margin == pytest.approx(0.12 - abs(e.capture_point[0]), abs=0.01)
    assert e.base_height == pytest.approx(0.776, abs=0.01)
    assert e.tilt < 0.05


def test_a_robot_in_the_air_has_no_polygon_and_no_zmp():
    s = Standing()
    lifted = s.world.qpos
    lifted[2] += 0.5
    s.world.set_state(lifted)
    s.run(0.02)
    e = s.estimates[-1]
    assert len(e.polygon) == 0
    assert e.margin == -np.inf
    assert np.isnan(e.zmp).all()
    assert not (e.left_contact or e.right_contact)


def on_the_left_foot(q: np.ndarray):
    return Standing().estimator.update(
        0.0, q, np.zeros(ROBOT.n), np.array([1.0, 0, 0, 0]), np.zeros(3),
        np.array([0, 0, 500.0, 0, 0, 0]), np.zeros(6),
    )  # fmt: skip


def test_on_one_foot_the_polygon_is_that_foot():
    e = on_the_left_foot(ROBOT.poses['standing'])
    assert e.left_contact
    assert not e.right_contact
    size = e.polygon.max(axis=0) - e.polygon.min(axis=0)
    np.testing.assert_allclose(size, ROBOT.foot_boxes['left_foot'].size, atol=1e-6)
    assert e.margin < 0.0
    # The other foot is on the same height: the robot would tip onto it.
    assert e.reach_margin > 0.05


def test_a_foot_high_in_the_air_is_not_counted_on():
    raised = ROBOT.poses['standing'].copy()
    for joint, angle in (('right_hip_pitch', -0.8), ('right_knee', 1.6)):
        raised[ROBOT.index[joint]] += angle
    e = on_the_left_foot(raised)
    assert e.reach_margin == e.margin < 0.0
