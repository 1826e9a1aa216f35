# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Evaluation scenarios: scenes and phrasings that are not in the training data."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vla_models.goals import Goals
from vla_models.language import Step, phrase
from vla_models.references import natural_hand, relations_to
from vla_models.rollout import TIMESTEP
from vla_models.scenes import named_colours, possible, sample_task
from vla_models.tasks import ALL_TASKS, REASONS, Task, TaskKind
from vla_models.tokenizer import fitting_instruction
from vla_robot import RobotModel
from vla_sim import Scene, SensorNoise, World

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

    swapped_instruction: that of another task. start: name of a pose. seed: of the world. second: of
    two steps. reason: why it is not possible, empty where it is.
    """

    number: int
    scene: Scene
    task: Task
    instruction: str
    swapped_instruction: str
    start: str
    seed: int
    second: Task | None = None
    reason: str = ''

    def world(self, robot: RobotModel) -> World:
        """The world in which it begins."""
        return Beginning(self.start, self.seed).world(robot, self.scene)


@dataclass(frozen=True)
class Beginning:
    """How an episode begins; what is possible in it is decided there. As in Scenario."""

    start: str
    seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> 'Beginning':
        start = 'standing' if rng.random() < 0.5 else 'ready'
        return cls(start, int(rng.integers(2**31)))

    def world(self, robot: RobotModel, scene: Scene) -> World:
        world = World(robot, scene, TIMESTEP, seed=self.seed, sensor_noise=SensorNoise.typical())
        world.reset(self.start)
        return world


def make_scenario(robot: RobotModel, goals: Goals, seed: int, number: int) -> Scenario:
    """The scene, task, held-out phrasing and start pose of one number."""
    # Collection seeds with two numbers, this with three: no scene is in both.
    rng = np.random.default_rng((7_000_003, seed, number))
    kind = CYCLE[number % len(CYCLE)]
    begin = Beginning.sample(rng)
    start = {TaskKind.READY: 'standing', TaskKind.REST: 'ready'}.get(kind, begin.start)
    begin = replace(begin, start=start)
    scene, task = sample_task(robot, goals, rng, kind, begin.world)
    words = random.Random(int(rng.integers(2**31)))
    others = [other for other in ALL_TASKS if _contradicts(other, task)]
    return Scenario(
        number,
        scene,
        task,
        phrase(task, words, held_out=True, typos=TYPOS),
        phrase(words.choice(others), words, held_out=True),
        begin.start,
        begin.seed,
    )


def _contradicts(other: Task, task: Task) -> bool:
    """Whether doing `other` is not also doing `task`."""
    if other == task:
        return False
    return not (TaskKind.STAND in (other.kind, task.kind) and {other.kind, task.kind} & _POSES)


class _Table:
    """The places of the cubes of a world, and which tasks are possible in it."""

    def __init__(self, goals: Goals, world: World) -> None:
        self.world = world
        self._goals = goals
        rotation, position = self.world.frame_pose('base')
        self.cubes = {
            colour: tuple((rotation.T @ (self.world.cube_position(name) - position))[:2])
            for colour, name in named_colours(world.scene).items()
        }

    def allows(self, task: Task) -> bool:
        return bool(list(possible(self.world, self._goals, (task,))))

    def step(self, task: Task, words: random.Random) -> Step:
        """The task by colour; in half of the cases without its hand, where that is clear."""
        step = Step.plain(task)
        if task.hand and task.hand == natural_hand(self.cubes[task.colour][1]):
            return replace(step, named=words.random() < 0.5)
        return step


def _kind_of(number: int) -> TaskKind:
    return IMAGE_TASKS[number % len(IMAGE_TASKS)]


def make_relation(robot: RobotModel, goals: Goals, seed: int, number: int) -> Scenario:
    """A cube named by its place among the others."""
    rng = np.random.default_rng((7_000_033, seed, number))
    begin = Beginning.sample(rng)
    words = random.Random(int(rng.integers(2**31)))
    while True:
        scene, task = sample_task(robot, goals, rng, _kind_of(number), begin.world)
        table = _Table(goals, begin.world(robot, scene))
        found = relations_to(task.colour, table.cubes)
        kinds = sorted({reference.kind for reference in found})
        if kinds:  # every kind as often
            kind = words.choice(kinds)
            reference = words.choice([r for r in found if r.kind == kind])
            step = replace(table.step(task, words), reference=reference)
            return _instructed((step,), scene, number, begin, words)


def make_two_steps(robot: RobotModel, goals: Goals, seed: int, number: int) -> Scenario:
    """Two cubes, one after the other."""
    rng = np.random.default_rng((7_000_037, seed, number))
    begin = Beginning.sample(rng)
    words = random.Random(int(rng.integers(2**31)))
    while True:
        scene, task = sample_task(robot, goals, rng, _kind_of(number), begin.world)
        table = _Table(goals, begin.world(robot, scene))
        first = table.step(task, words)
        others = [
            other
            for other in ALL_TASKS
            if other.has_target and other.colour != task.colour and other.colour in table.cubes
        ]
        same = [other for other in others if replace(other, colour=task.colour) == task]
        chosen = same if words.random() < 0.5 else others
        words.shuffle(chosen)
        second = next((other for other in chosen if table.allows(other)), None)
        if second is not None:
            step = table.step(second, words)
            # The hand is said for both or for none.
            named = first.named or step.named
            steps = (replace(first, named=named), replace(step, named=named))
            return replace(_instructed(steps, scene, number, begin, words), second=second)


def make_impossible(robot: RobotModel, goals: Goals, seed: int, number: int) -> Scenario:
    """A colour that is not on the table (even numbers), or a cube out of reach of the hand."""
    rng = np.random.default_rng((7_000_043, seed, number))
    begin = Beginning.sample(rng)
    words = random.Random(int(rng.integers(2**31)))
    out_of_reach = bool(number % 2)
    while True:
        kind = TaskKind.REACH if out_of_reach else _kind_of(number // 2)
        scene, _ = sample_task(robot, goals, rng, kind, begin.world)
        table = _Table(goals, begin.world(robot, scene))
        tasks = [
            task
            for task in ALL_TASKS
            if task.kind is kind and (task.colour in table.cubes) is out_of_reach
        ]
        words.shuffle(tasks)
        for task in tasks:
            if not out_of_reach or not table.allows(task):
                made = _instructed((Step.plain(task),), scene, number, begin, words)
                return replace(made, reason=REASONS[1 if out_of_reach else 0])


def _instructed(
    steps: tuple[Step, ...], scene: Scene, number: int, begin: Beginning, words: random.Random
) -> Scenario:
    return Scenario(
        number,
        scene,
        steps[0].task,
        fitting_instruction(steps, words, held_out=True, typos=TYPOS),
        '',
        begin.start,
        begin.seed,
    )


Maker = Callable[[RobotModel, Goals, int, int], Scenario]
SUITES: dict[str, Maker] = {
    'relations': make_relation,
    'two_steps': make_two_steps,
    'impossible': make_impossible,
}
"""Further scenarios for the policy alone."""
