# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Closed loop in physics, judged by ground truth: a bundle, the expert, and two that must fail."""

from __future__ import annotations

from pathlib import Path

from vla_models.agents import BundleBrain, ExpertBrain
from vla_models.expert import Expert
from vla_models.rollout import LATENCY, TIMESTEP, Body, Brain, run
from vla_models.scenarios import SEEING, Scenario, make_scenario
from vla_models.scene_truth import named_colours
from vla_models.statistics import EpisodeOutcome
from vla_models.success import SuccessCriterion
from vla_policy.load import load_policy
from vla_robot import load_robot
from vla_safety.parameters import load_parameters
from vla_sim import Renderer, SensorNoise, World

DURATION = 9.0  # s
VARIANTS = ('policy', 'expert', 'blind', 'deaf')


class Episodes:
    """Runs one (variant, number) at a time, in a process of its own.

    Args:
        bundle: directory of a policy bundle.
        seed: of scenes and phrasings.
        parameters: file of the safety filter, None for the installed one.
    """

    def __init__(
        self, bundle: str, robot: str, seed: int, parameters: str | None, duration: float
    ) -> None:
        self.robot = load_robot(robot)
        self.seed, self.duration = seed, duration
        self.body = Body(self.robot, load_parameters(parameters))
        self.expert = Expert(self.robot)
        self.policy = load_policy(Path(bundle), self.robot)
        self.latency = LATENCY

    def _brain(self, variant: str, renderer: Renderer, scenario: Scenario) -> Brain:
        if variant == 'expert':
            return ExpertBrain(self.expert, renderer, scenario.task)
        return BundleBrain(self.policy, renderer, blind=variant == 'blind')

    def __call__(self, item: tuple[str, int], watch=None) -> EpisodeOutcome | None:
        variant, number = item
        scenario = make_scenario(self.robot, self.expert.goals, self.seed, number)
        task = scenario.task
        # A blind robot can still wave; only what needs eyes tells whether it looks.
        if variant == 'blind' and task.kind not in SEEING:
            return None
        noise = SensorNoise.typical()
        world = World(self.robot, scenario.scene, TIMESTEP, seed=scenario.seed, sensor_noise=noise)
        world.reset(scenario.start)
        cube = named_colours(scenario.scene)[task.colour] if task.has_target else None
        judge = SuccessCriterion(world, task, cube, scenario.start)
        camera = self.robot.camera
        size = (camera.width, camera.height)
        renderer = Renderer(self.robot, scenario.scene, *size, seed=scenario.seed)
        try:
            brain = self._brain(variant, renderer, scenario)
            words = scenario.misheard if variant == 'deaf' else scenario.instruction
            made = run(
                world,
                self.body,
                brain,
                judge,
                words,
                self.duration,
                watch=watch,
                latency=self.latency,
            )
        finally:
            renderer.close()
        success = judge.success()
        return EpisodeOutcome(
            task=task.name,
            kind=task.kind.value,
            success=success,
            error=judge.error(),
            seconds=judge.settled() if success else None,
            path=judge.path,
            fallen=made.fallen,
            violations=made.violations,
            interventions=made.interventions,
        )
