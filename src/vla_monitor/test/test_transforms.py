# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""/tf: the chain of transforms gives the poses that Pinocchio gives, for every robot that ships."""

from pathlib import Path

import numpy as np
import pytest

from vla_common.rotation import rotation_matrix
from vla_monitor.monitor.transforms import BasePose, BaseSource, LinkTransforms
from vla_robot import load_robot

ROBOTS = [
    path.parent.name
    for path in sorted(Path(__file__).parents[2].glob('vla_robot/robots/*/robot.yaml'))
]
ROBOT = load_robot('humanoid32')
STANDING = ROBOT.poses['standing']


def matrix(pose):
    result = np.eye(4)
    result[:3, :3] = rotation_matrix(np.roll(pose[3:], 1))
    result[:3, 3] = pose[:3]
    return result


def chained(robot, position):
    """Pose (4, 4) of each link in the base."""
    links = LinkTransforms(robot)
    above = {e.child: (e.parent, p) for e, p in zip(links.fixed, links.fixed_poses, strict=True)}
    for edge, pose in zip(links.moving, links.moved(position), strict=True):
        assert edge.child not in above
        above[edge.child] = edge.parent, pose

    def of(link):
        if link == robot.frames['base']:
            return np.eye(4)
        parent, pose = above[link]
        return of(parent) @ matrix(pose)

    return {link: of(link) for link in above}


@pytest.mark.parametrize('name', ROBOTS)
def test_every_link_is_where_pinocchio_has_it(name):
    robot = load_robot(name)
    chance = np.random.default_rng(0)
    kinematics = robot.kinematics()
    for _ in range(5):
        position = chance.uniform(robot.limits.lower, robot.limits.upper)
        kinematics.update(position)
        poses = chained(robot, position)
        bodies = {f.name for f in robot.pinocchio_model.frames if f.type.name == 'BODY'}
        assert bodies - {'universe', robot.frames['base']} == set(poses)
        for link, pose in poses.items():
            R, p = kinematics.frame(link)
            np.testing.assert_allclose(pose[:3, :3], R, atol=1e-9)
            np.testing.assert_allclose(pose[:3, 3], p, atol=1e-9)


def test_by_the_feet_the_base_is_as_high_as_the_legs_hold_it():
    base = BasePose(ROBOT)
    pose = base.of(STANDING)
    assert base.source is BaseSource.FEET
    assert pose[2] == pytest.approx(0.777, abs=0.005)


def test_a_leaning_robot_keeps_its_feet_on_the_ground_at_the_origin():
    base = BasePose(ROBOT)
    lean = np.array([np.sin(0.1), 0.0, 0.0, np.cos(0.1)])
    pose = base.of(STANDING, orientation=2 * lean / 2.1)
    assert base.source is BaseSource.IMU_AND_FEET
    np.testing.assert_allclose(pose[3:], lean, atol=1e-12)
    soles = []
    for foot in ('left_foot', 'right_foot'):
        corners = np.column_stack([ROBOT.foot_boxes[foot].corners, np.ones(4)])
        there = matrix(pose) @ chained(ROBOT, STANDING)[ROBOT.frames[foot]]
        soles.append((there @ corners.T).T[:, :3])
    soles = np.concatenate(soles)
    assert soles[:, 2].min() == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(soles[:, :2].mean(axis=0), 0.0, atol=1e-9)


def test_the_simulators_pose_comes_first():
    base = BasePose(ROBOT)
    pose = base.of(STANDING, np.array([0, 0, 0, 1.0]), np.array([1, 2, 3, 1.0, 0, 0, 0]))
    assert base.source is BaseSource.SIMULATOR
    np.testing.assert_allclose(pose, [1, 2, 3, 0, 0, 0, 1])


@pytest.mark.parametrize('bad', [np.nan, np.inf, 0.0])
def test_what_is_no_pose_is_left_out(bad):
    base = BasePose(ROBOT)
    pose = base.of(STANDING, np.full(4, bad), np.full(7, bad))
    assert base.source is BaseSource.FEET
    assert np.isfinite(pose).all()


def test_a_robot_without_feet_is_fixed():
    robot = load_robot('panda')
    base = BasePose(robot)
    assert base.is_fixed
    np.testing.assert_array_equal(base.of(robot.poses['standing']), [0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize('name', [n for n in ROBOTS if load_robot(n).foot_boxes])
def test_the_base_is_the_first_of_the_simulators_generalised_positions(name):
    from vla_sim.mujoco_model import FREE_JOINT
    from vla_sim.world import World

    assert World(load_robot(name)).model.joint(FREE_JOINT).qposadr[0] == 0
