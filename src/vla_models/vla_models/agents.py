# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Who decides in an evaluated episode: the bundle, with or without eyes, or the expert."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vla_models.expert import Expert
from vla_models.scene_truth import named_colours, target_of
from vla_models.tasks import Task
from vla_policy.types import Observation, Policy
from vla_sim import Renderer, World

GREY = 128


class BundleBrain:
    """A policy, as the inference node runs it; `blind`: all images are grey."""

    def __init__(self, policy: Policy, renderer: Renderer, blind: bool = False) -> None:
        self.policy, self.renderer, self.blind = policy, renderer, blind
        index = renderer.robot.index
        self.joints = np.array([index[name] for name in policy.bundle.model.action.joints])
        self._camera = policy.bundle.model.inputs.images[0].camera

    def propose(self, world: World, observation: Observation) -> np.ndarray:
        """See `rollout.Brain`."""
        image, _ = self.renderer.render(world.qpos)
        if self.blind:
            image = np.full_like(image, GREY)
        return self.policy.predict(replace(observation, images={self._camera: image})).positions


class ExpertBrain:
    """The demonstrator, with ground truth: the upper bound."""

    def __init__(self, expert: Expert, renderer: Renderer, task: Task) -> None:
        self.expert, self.renderer, self.task = expert, renderer, task
        self.joints = expert.joints

    def propose(self, world: World, observation: Observation) -> np.ndarray:
        """See `rollout.Brain`."""
        target = None
        if self.task.has_target:
            name = named_colours(world.scene)[self.task.colour]
            target, _ = target_of(world, self.renderer, name, world.scene.cube(name).size)
        return self.expert.chunk(self.task, observation.position, observation.elapsed, target)
