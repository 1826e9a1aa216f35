# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Success criteria against postures of known outcome."""

import numpy as np
import pytest

from vla_models.expert import Expert
from vla_models.goals import Target
from vla_models.success import SuccessCriterion, _angle
from vla_models.tasks import Task, TaskKind
from vla_robot import load_robot
from vla_sim import Scene, World

ROBOT = load_robot('humanoid32')
EXPERT = Expert(ROBOT)


def world_at(change) -> World:
    """The default scene with the robot frozen at ready, changed by `change(q, world)`."""
    world = World(ROBOT, Scene.default())
    world.reset('ready')
    q = world.joint_position.copy()
    change(q, world)
    qpos = world.qpos
    qpos[[int(world.model.joint(name).qposadr[0]) for name in ROBOT.joint_names]] = q
    world.set_state(qpos)
    return world


def succeeds(world: World, task: Task, cube: str | None = None, start: str = 'ready') -> bool:
    criterion = SuccessCriterion(world, task, cube, start)
    for i in range(12):
        criterion.update(0.05 * i)
    return criterion.success()


def cube_in_base(world: World, name: str) -> Target:
    rotation, position = world.frame_pose('base')
    return Target(rotation.T @ (world.cube_position(name) - position), 0.045)


def test_a_hand_over_the_right_cube_has_reached_it_and_no_other():
    def over_red(q, world):
        target = cube_in_base(world, 'red_cube')
        q[ROBOT.groups['left_arm']] = EXPERT.goals.reach('left', target).joints

    world = world_at(over_red)
    assert succeeds(world, Task(TaskKind.REACH, 'left', 'red'), 'red_cube')
    assert not succeeds(world, Task(TaskKind.REACH, 'left', 'green'), 'green_cube')
    assert not succeeds(world, Task(TaskKind.REACH, 'right', 'red'), 'red_cube')


def test_looking_at_one_cube_is_not_looking_at_another():
    def at_blue(q, world):
        q[ROBOT.groups['head']] = EXPERT.goals.look(cube_in_base(world, 'blue_cube'))[0]

    world = world_at(at_blue)
    assert succeeds(world, Task(TaskKind.LOOK, None, 'blue'), 'blue_cube')
    assert not succeeds(world, Task(TaskKind.LOOK, None, 'red'), 'red_cube')


def test_a_raised_hand_that_does_not_move_is_no_wave():
    def raised(q, world):
        q[ROBOT.groups['left_arm']] = EXPERT.wave_posture('left', 0.0)

    assert not succeeds(world_at(raised), Task(TaskKind.WAVE, 'left'))


def test_postures_are_compared_with_the_pose_of_their_task():
    ready = world_at(lambda q, world: None)
    assert succeeds(ready, Task(TaskKind.READY))
    assert succeeds(ready, Task(TaskKind.STAND), start='ready')
    assert not succeeds(ready, Task(TaskKind.REST))
    assert not succeeds(ready, Task(TaskKind.STAND), start='standing')


def test_success_counts_from_its_lasting_start_and_the_path_is_that_of_the_finger_tips():
    world = world_at(lambda q, world: None)
    criterion = SuccessCriterion(world, Task(TaskKind.READY), None, 'ready')
    criterion.update(0.0)
    away = world.qpos
    away[int(world.model.joint('left_elbow').qposadr[0])] += 0.5
    back = world.qpos
    for time, qpos in ((0.1, away), (0.2, back), (0.3, back)):
        world.set_state(qpos)
        criterion.update(time)
    assert criterion.settled() == 0.2
    assert 0.2 < criterion.path < 0.6  # there and back, about 0.4 m from the elbow


def test_a_failed_episode_has_no_time_to_success():
    world = world_at(lambda q, world: None)
    criterion = SuccessCriterion(world, Task(TaskKind.REST), None, 'ready')
    criterion.update(0.0)
    assert criterion.settled() is None


def test_angles_are_measured_right():
    assert _angle(np.array([1.0, 0, 0]), np.array([0, 2.0, 0])) == pytest.approx(np.pi / 2)
