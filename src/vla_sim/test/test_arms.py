# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The arms in simulation: on their stand at the table, holding their poses, their hands in view."""

import numpy as np
import pytest

from vla_robot import load_robot
from vla_sim import World


@pytest.fixture(params=['ur5e', 'panda', 'xarm7', 'so101'], scope='module')
def world(request):
    return World(load_robot(request.param))


def test_an_arm_stands_on_its_stand_at_the_edge_of_the_table(world):
    rotation, base = world.frame_pose('base')
    assert np.allclose(base, (0.0, 0.0, 0.8), atol=1e-9)
    assert np.allclose(rotation, np.eye(3))
    edge = world.scene.table.position[0] - 0.5 * world.scene.table.size[0]
    assert edge > 0.12, 'between stand and table there is room'


@pytest.mark.parametrize('pose', ['standing', 'ready'])
def test_an_arm_holds_its_poses_and_touches_nothing(world, pose):
    world.reset(pose)
    gravity = world.robot.kinematics().gravity_torque(world.robot.poses[pose])
    world.command(world.robot.poses[pose], effort=gravity)
    world.step(1500)
    assert np.isfinite(world.qpos).all()
    assert np.abs(world.joint_position - world.robot.poses[pose]).max() < 2e-3
    assert np.abs(world.read().velocity).max() < 1e-2
    links = {name for contact in world.contacts for name in (contact.first, contact.second)}
    assert not any(world.robot.has_link(name) for name in links)


@pytest.mark.parametrize('joint', range(7))
def test_each_joint_follows_a_step_without_ringing(world, joint):
    robot = world.robot
    if joint >= robot.n:
        pytest.skip(f'{robot.name} has {robot.n} joints')
    world.reset('standing')
    goal = robot.poses['standing'].copy()
    goal[joint] += 0.05
    gravity = robot.kinematics().gravity_torque(goal)
    world.command(goal, effort=gravity)
    world.step(100)
    reached = [float(world.joint_position[joint])]
    for _ in range(60):
        world.step(20)
        reached.append(float(world.joint_position[joint]))
    assert max(reached) < goal[joint] + 0.02, 'overshoot'
    assert abs(reached[-1] - goal[joint]) < 3e-3
