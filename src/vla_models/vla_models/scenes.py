# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Scenes with their possible tasks, and the ground truth about their cubes.

A task is possible where the named hand reaches the cube without contortion and the head can turn to
it. No other task is demonstrated or evaluated.
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from vla_models.goals import Goals, Target
from vla_models.tasks import ALL_TASKS, Task, TaskKind
from vla_robot import RobotModel
from vla_sim import Renderer, Scene, World

CAMERA = 'head_camera'


def named_colours(scene) -> dict[str, str]:
    """Colour to cube name, for colours that only one cube of the scene has."""
    colours = [cube.color for cube in scene.cubes]
    return {cube.color: cube.name for cube in scene.cubes if colours.count(cube.color) == 1}


def pixel_of(world: World, renderer: Renderer, point: np.ndarray) -> np.ndarray:
    """Where a world point (3,) m is in the head camera's image, (u right, v down) in [-1, 1].

    NaN behind the camera or outside of the image. Occlusion is not considered.
    """
    rotation, position = world.frame_pose(CAMERA)
    # The scene mounts the rendering camera a little off its frame.
    mounting = world.scene.camera
    position = position + rotation @ np.asarray(mounting.position)
    rotation = rotation @ cv2.Rodrigues(np.asarray(mounting.rotation, np.float64))[0]
    x, y, z = rotation.T @ (point - position)
    fx, fy, cx, cy = renderer.intrinsics
    if z > 0.01:
        u, v = fx * x / z / cx, fy * y / z / cy
        if abs(u) < 1.0 and abs(v) < 1.0:
            return np.array([u, v])
    return np.full(2, np.nan)


def target_of(
    world: World, renderer: Renderer, cube_name: str, size: float
) -> tuple[Target, np.ndarray]:
    """A cube in the base frame, and its pixel (2,), NaN where out of view."""
    point = world.cube_position(cube_name)
    rotation, position = world.frame_pose('base')
    pixel = pixel_of(world, renderer, point)
    target = Target(rotation.T @ (point - position), size, bool(np.isfinite(pixel).all()))
    return target, pixel


# m, of the centres of cubes. The pitch limit of the head excludes nearer ones.
CUBE_X = (0.35, 0.48)
CUBE_Y = (-0.26, 0.26)
CUBES = (3, 5)


def sample_scene(rng: np.random.Generator) -> Scene:
    """Cubes, table, light, colours and camera mounting of training and evaluation."""
    return Scene.sample(int(rng.integers(2**31)), cubes=CUBES, cube_x=CUBE_X, cube_y=CUBE_Y)


def possible(world: World, goals: Goals, tasks: Iterable[Task]) -> Iterator[Task]:
    """The possible ones of `tasks` in a world, checked lazily."""
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


def standing(robot: RobotModel, scene: Scene) -> World:
    """A world that begins in the standing pose."""
    world = World(robot, scene)
    world.reset('standing')
    return world


def sample_task(
    robot: RobotModel,
    goals: Goals,
    rng: np.random.Generator,
    kind: TaskKind,
    begin: Callable[[RobotModel, Scene], World] = standing,
) -> tuple[Scene, Task]:
    """A scene, and a task of `kind` that is possible in it. begin: the world in which it is: how
    the torso leans at the start moves the border of what a hand reaches by centimetres."""
    tasks = [task for task in ALL_TASKS if task.kind is kind]
    while True:
        scene = sample_scene(rng)
        world = begin(robot, scene)
        order = (tasks[i] for i in rng.permutation(len(tasks)))
        for task in possible(world, goals, order):
            return scene, task
