# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The judge calls done only what is done, and the statistics are right."""

from __future__ import annotations

import numpy as np
import pytest

from vla_models.evaluation import Outcome, make_scenario, summarise, wilson
from vla_models.expert import Expert, Target
from vla_models.judging import Judge
from vla_models.tasks import Kind, Task
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


def judged(world: World, task: Task, cube: str | None = None, start: str = 'ready') -> bool:
    judge = Judge(world, task, cube, start)
    for i in range(12):
        judge.watch(0.05 * i)
    return judge.success()


def cube_in_base(world: World, name: str) -> Target:
    rotation, position = world.frame_pose('base')
    return Target(rotation.T @ (world.cube_position(name) - position), 0.045)


def test_a_hand_over_the_right_cube_has_reached_it_and_no_other():
    def over_red(q, world):
        q[ROBOT.groups['left_arm']] = (
            EXPERT.at(q).reach('left', cube_in_base(world, 'red_cube'))[0].joints
        )

    world = world_at(over_red)
    assert judged(world, Task(Kind.REACH, 'left', 'red'), 'red_cube')
    assert not judged(world, Task(Kind.REACH, 'left', 'green'), 'green_cube')
    assert not judged(world, Task(Kind.REACH, 'right', 'red'), 'red_cube')


def test_eyes_on_one_cube_are_not_on_another():
    def at_blue(q, world):
        q[ROBOT.groups['head']] = EXPERT.at(q).look(cube_in_base(world, 'blue_cube'))[0]

    world = world_at(at_blue)
    assert judged(world, Task(Kind.LOOK, None, 'blue'), 'blue_cube')
    assert not judged(world, Task(Kind.LOOK, None, 'red'), 'red_cube')


def test_a_raised_hand_that_does_not_move_is_no_wave():
    def raised(q, world):
        q[ROBOT.groups['left_arm']] = EXPERT.wave_posture('left', 0.0)

    assert not judged(world_at(raised), Task(Kind.WAVE, 'left'))


def test_postures_are_judged_by_the_pose_that_they_mean():
    ready = world_at(lambda q, world: None)
    assert judged(ready, Task(Kind.READY))
    assert judged(ready, Task(Kind.STAND), start='ready')
    assert not judged(ready, Task(Kind.REST))
    assert not judged(ready, Task(Kind.STAND), start='standing')


@pytest.mark.parametrize(('good', 'count'), [(0, 10), (5, 10), (10, 10), (97, 100)])
def test_the_interval_holds_the_share_and_stays_in_0_to_1(good, count):
    low, high = wilson(good, count)
    assert 0.0 <= low <= good / count <= high <= 1.0
    assert high - low < 0.7


def test_a_summary_counts_by_kind():
    outcomes = [
        Outcome('look_red', 'look', True, 0.01, False, 0, 2),
        Outcome('look_blue', 'look', False, float('inf'), False, 0, 0),
        Outcome('stand', 'stand', True, 0.0, True, 1, 0),
    ]
    result = summarise(outcomes)
    assert result['tasks']['look']['success'] == 0.5
    assert result['tasks']['look']['median_error'] == 0.01
    assert (result['falls'], result['violations'], result['interventions']) == (1, 1, 2)


def test_a_scenario_is_the_same_for_the_same_seed_and_a_misheard_one_asks_for_something_else():
    for number in range(3):
        first, again = (make_scenario(ROBOT, EXPERT, 5, number) for _ in range(2))
        assert (first.instruction, first.scene.digest) == (again.instruction, again.scene.digest)
        assert first.misheard != first.instruction
    assert make_scenario(ROBOT, EXPERT, 6, 0).scene.digest != first.scene.digest


def test_angles_are_measured_right():
    from vla_models.judging import _angle

    assert _angle(np.array([1.0, 0, 0]), np.array([0, 2.0, 0])) == pytest.approx(np.pi / 2)
