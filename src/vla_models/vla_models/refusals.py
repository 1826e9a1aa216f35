# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which sentences a policy refuses before anything moves: those that it cannot follow, written by
others (unfollowable.yaml), and held-out phrasings that it can."""

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from vla_common.yaml_file import load_yaml
from vla_models.language import Step
from vla_models.references import by_colour, sample_relation
from vla_models.scenarios import TYPOS
from vla_models.scenes import sample_scene
from vla_models.tasks import ALL_TASKS
from vla_models.tokenizer import fitting_instruction
from vla_policy.types import InstructionRefused, Observation, Policy
from vla_robot import RobotModel
from vla_sim import Renderer, World

SENSE = 400  # sentences that can be followed


@dataclass(frozen=True)
class WordsOutcome:
    """Sentences that were refused. wrong: those that should not have been, or should."""

    nonsense: int
    nonsense_refused: int
    sense: int
    sense_refused: int
    wrong: tuple[str, ...]


@cache
def unfollowable() -> tuple[str, ...]:
    """Sentences by others that no task of ours is, each once."""
    content = load_yaml(Path(__file__).with_name('unfollowable.yaml'))
    texts = (text for source in content['sources'] for text in source['sentences'])
    return tuple(dict.fromkeys(texts))


def followable(seed: int, count: int = SENSE) -> list[str]:
    """Held-out phrasings: by colour, by place, and of two steps; some with a typing error."""
    words = random.Random(seed)
    about_cubes = [task for task in ALL_TASKS if task.has_target]
    found = []
    for number in range(count):
        task = words.choice(ALL_TASKS if number % 4 == 0 else about_cubes)
        reference = by_colour(task.colour) if task.has_target else None
        if task.has_target and number % 4 == 1:
            reference = sample_relation(words)
        steps: tuple[Step, ...] = (Step(task, reference, words.random() < 0.7 or not task.colour),)
        if number % 4 == 2:
            other = words.choice(about_cubes)
            steps = (*steps, Step(other, by_colour(other.colour), steps[0].named))
        found.append(fitting_instruction(steps, words, held_out=True, typos=TYPOS))
    return found


class _Asker:
    """Asks a policy in one scene, with the hands above the table."""

    def __init__(self, policy: Policy, robot: RobotModel, seed: int) -> None:
        self._policy = policy
        self._accept = policy.bundle.acceptance.understood
        scene = sample_scene(np.random.default_rng((7_000_051, seed)))
        world = World(robot, scene)
        world.reset('ready')
        camera = robot.camera
        with Renderer(robot, scene, camera.width, camera.height, seed=seed) as renderer:
            self._image, _ = renderer.render(world.qpos)
        reading = world.read()
        self._position, self._orientation = reading.position, reading.orientation

    def refuses(self, text: str) -> bool:
        """Before motion."""
        try:
            self._policy.check(text)
            self._policy.reset()
            seen = Observation(
                images=dict.fromkeys(self._policy.bundle.cameras, self._image),
                position=self._position,
                velocity=np.zeros_like(self._position),
                orientation=self._orientation,
                instruction=text,
                stamp_ns=0,
                elapsed=0.0,
            )
            chunk = self._policy.predict(seen)
        except InstructionRefused:
            return True
        return self._accept is not None and not chunk.assessment.understood >= self._accept


def refused_words(policy: Policy, robot: RobotModel, seed: int) -> WordsOutcome:
    """Ask it everything."""
    asker = _Asker(policy, robot, seed)
    nonsense, sense = unfollowable(), followable(seed)
    followed = [text for text in nonsense if not asker.refuses(text)]
    refused = [text for text in sense if asker.refuses(text)]
    return WordsOutcome(
        len(nonsense),
        len(nonsense) - len(followed),
        len(sense),
        len(refused),
        (*followed, *refused),
    )
