# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What acts in an episode beside the bundle itself: the bundle without images, and the expert."""

from dataclasses import dataclass, field, replace

import numpy as np

from vla_models.expert import HORIZON, STEP, Expert
from vla_models.scenes import named_colours, target_of
from vla_models.tasks import Task
from vla_policy.bundle.judged_outputs import Acceptance
from vla_policy.bundle.model_inputs import SINGLE, History
from vla_policy.types import ActionChunk, Observation, Policy
from vla_sim import Renderer, World

GREY = 128
TIMES = np.arange(1, HORIZON + 1) * STEP


class ImageAblated(Policy):
    """A policy whose images are all grey."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self.bundle = policy, policy.bundle
        self.takes_prefix = policy.takes_prefix
        self.check, self.reset = policy.check, policy.reset

    def predict(self, observation: Observation) -> ActionChunk:
        images = {name: np.full_like(image, GREY) for name, image in observation.images.items()}
        return self._policy.predict(replace(observation, images=images))


@dataclass(frozen=True)
class ExpertBundle:
    """As much of a bundle as an episode uses."""

    title: str = 'expert'
    cameras: tuple[str, ...] = ()
    goal_like: bool = False
    blending: str = 'replace'
    history: History = SINGLE
    acceptance: Acceptance = field(default_factory=Acceptance)
    tasks: tuple[str, ...] = ()


class ExpertPolicy(Policy):
    """The expert with ground truth from the simulator: the upper bound."""

    bundle = ExpertBundle()

    def __init__(self, expert: Expert, world: World, renderer: Renderer, task: Task) -> None:
        self.expert, self.world, self.renderer, self.task = expert, world, renderer, task

    def predict(self, observation: Observation) -> ActionChunk:
        target, world = None, self.world
        if self.task.has_target:
            name = named_colours(world.scene)[self.task.colour]
            target, _ = target_of(world, self.renderer, name, world.scene.cube(name).size)
        return self.chunk(observation, target)

    def chunk(self, observation: Observation, target) -> ActionChunk:
        """The expert's chunk for this observation; `target` is the cube of the task or None."""
        positions = self.expert.chunk(self.task, observation.position, observation.elapsed, target)
        return ActionChunk(self.expert.names, positions, TIMES)
