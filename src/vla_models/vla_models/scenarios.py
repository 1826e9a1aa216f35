# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Evaluation scenarios: scenes and phrasings that are not in the training data."""

import random
from dataclasses import dataclass

import numpy as np

from vla_models.goals import Goals
from vla_models.language import phrase
from vla_models.scenes import sample_task
from vla_models.tasks import ALL_TASKS, Task, TaskKind
from vla_robot import RobotModel
from vla_sim import Scene

IMAGE_TASKS = (TaskKind.REACH, TaskKind.POINT, TaskKind.LOOK)  # impossible without an image
# Four of five scenes are about a cube.
CYCLE = (
    *(TaskKind.REACH, TaskKind.POINT, TaskKind.LOOK, TaskKind.REACH, TaskKind.POINT),
    *(TaskKind.WAVE, TaskKind.LOOK, TaskKind.REACH, TaskKind.POINT, TaskKind.REST),
    *(TaskKind.LOOK, TaskKind.REACH, TaskKind.POINT, TaskKind.LOOK, TaskKind.READY),
    *(TaskKind.REACH, TaskKind.POINT, TaskKind.LOOK, TaskKind.REACH, TaskKind.STAND),
)
TYPOS = 0.1  # share of the instructions with one wrong letter
_POSES = {TaskKind.REST, TaskKind.READY}


@dataclass(frozen=True)
class Scenario:
    """One episode of an evaluation; it follows from a seed and its number.

    swapped_instruction: that of another task. start: name of a pose.
    """

    number: int
    scene: Scene
    task: Task
    instruction: str
    swapped_instruction: str
    start: str
    seed: int


def make_scenario(robot: RobotModel, goals: Goals, seed: int, number: int) -> Scenario:
    """The scene, task, held-out phrasing and start pose of one number."""
    # Collection seeds with two numbers, this with three: no scene is in both.
    rng = np.random.default_rng((7_000_003, seed, number))
    kind = CYCLE[number % len(CYCLE)]
    start = 'standing' if rng.random() < 0.5 else 'ready'
    start = {TaskKind.READY: 'standing', TaskKind.REST: 'ready'}.get(kind, start)
    scene, task = sample_task(robot, goals, rng, kind)
    words = random.Random(int(rng.integers(2**31)))
    others = [other for other in ALL_TASKS if _contradicts(other, task)]
    return Scenario(
        number,
        scene,
        task,
        phrase(task, words, held_out=True, typos=TYPOS),
        phrase(words.choice(others), words, held_out=True),
        start,
        int(rng.integers(2**31)),
    )


def _contradicts(other: Task, task: Task) -> bool:
    """Whether doing `other` is not also doing `task`."""
    if other == task:
        return False
    return not (TaskKind.STAND in (other.kind, task.kind) and {other.kind, task.kind} & _POSES)
