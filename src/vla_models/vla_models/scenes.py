# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Scenes to be asked about, and what can be asked in each: the one place that decides both.

A task is asked for where the named hand gets at the cube without contortion and the head can turn
to it. Anything else is not taught and not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vla_models.goals import Goals, Target
from vla_models.scene_truth import named_colours
from vla_models.tasks import ALL_TASKS, Task, TaskKind
from vla_robot import RobotModel
from vla_sim import Scene, World

# m: where a cube's centre may lie. Nearer ones are below what the head can look down to.
CUBE_X = (0.35, 0.48)
CUBE_Y = (-0.26, 0.26)
CUBES = (3, 5)


def sample_scene(rng: np.random.Generator) -> Scene:
    """Cubes, table, light, colours and the camera's mounting, as training and judging see them."""
    return Scene.sample(int(rng.integers(2**31)), cubes=CUBES, cube_x=CUBE_X, cube_y=CUBE_Y)


def possible(world: World, goals: Goals, tasks: Iterable[Task]) -> Iterator[Task]:
    """Those of `tasks` that can be done in a world, checked one by one as they are asked for."""
    rotation, position = world.frame_pose('base')
    posture = world.joint_position.copy()
    targets = {}
    for colour, name in named_colours(world.scene).items():
        place = rotation.T @ (world.cube_position(name) - position)
        targets[colour] = goals.upright(posture, Target(place, world.scene.cube(name).size))
    for task in tasks:
        target = targets.get(task.colour) if task.has_target else None
        if not task.has_target or (target is not None and goals.feasible(task, target)):
            yield task


def sample_task(
    robot: RobotModel, goals: Goals, rng: np.random.Generator, kind: TaskKind
) -> tuple[Scene, Task]:
    """A scene, and a task of `kind` that can be done in it from a stand."""
    tasks = [task for task in ALL_TASKS if task.kind is kind]
    while True:
        scene = sample_scene(rng)
        world = World(robot, scene)
        world.reset('standing')
        order = (tasks[i] for i in rng.permutation(len(tasks)))
        for task in possible(world, goals, order):
            return scene, task
