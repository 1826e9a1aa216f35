# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Evaluation in closed loop against ground truth: a bundle, the expert and two ablations."""

from pathlib import Path

from vla_inference.session import InstructionOutcome
from vla_models.agents import ExpertPolicy, ImageAblated
from vla_models.expert import Expert
from vla_models.refusals import WordsOutcome, refused_words
from vla_models.robot_stack import USUAL, RobotStack, Timing
from vla_models.rollout import Rollout, Run
from vla_models.scenarios import IMAGE_TASKS, SUITES, Scenario, make_scenario
from vla_models.scenes import named_colours
from vla_models.statistics import EpisodeOutcome
from vla_models.success import SuccessCriterion, TwoStepCriterion
from vla_policy.load import load_policy
from vla_policy.types import Policy
from vla_robot import load_robot
from vla_sim import Renderer, World

DURATION = 9.0  # s
IMAGE_ABLATED, LANGUAGE_ABLATED = 'blind', 'deaf'
"""Their names in the JSON."""
VARIANTS = ('policy', 'expert', IMAGE_ABLATED, LANGUAGE_ABLATED)
WORDS = 'words'
"""The work item of `refusals.refused_words`."""
Item = tuple[str, int] | tuple[str, int, int]


class Episodes:
    """Runs one (variant, number) or (variant, number, seed) at a time, in a process of its own.

    A variant is one of VARIANTS, or of SUITES for the policy in other scenarios.

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
        self.stack = RobotStack(self.robot, parameters)
        self.expert = Expert(self.robot)
        self.policy = load_policy(Path(bundle), self.robot)

    def __call__(self, item: Item) -> EpisodeOutcome | WordsOutcome | None:
        variant, number = item[:2]
        seed = item[2] if len(item) > 2 else self.seed
        if variant == WORDS:
            return refused_words(self.policy, self.robot, seed)
        maker = SUITES.get(variant, make_scenario)
        scenario = maker(self.robot, self.expert.goals, seed, number)
        # Waving needs no image: only the tasks that do show what an image is worth.
        if variant == IMAGE_ABLATED and scenario.task.kind not in IMAGE_TASKS:
            return None
        return self.run(scenario, variant)[0]

    def run(
        self,
        scenario: Scenario,
        variant: str = 'policy',
        timing: Timing = USUAL,
        blending: str = '',
    ) -> tuple[EpisodeOutcome, Run]:
        """One episode; see Rollout for timing and blending."""
        task, scene, world = scenario.task, scenario.scene, scenario.world(self.robot)
        names = named_colours(scene)
        cube = names.get(task.colour) if task.has_target else None
        criterion = SuccessCriterion(world, task, cube, scenario.start)
        if scenario.second is not None:
            tasks = (task, scenario.second)
            criterion = TwoStepCriterion(world, tasks, [names[t.colour] for t in tasks])
        camera = self.robot.camera
        size = (camera.width, camera.height)
        words = scenario.instruction
        if variant == LANGUAGE_ABLATED:
            words = scenario.swapped_instruction
        with Renderer(self.robot, scene, *size, seed=scenario.seed) as renderer:
            policy = self._policy(variant, world, renderer, scenario)
            rollout = Rollout(self.stack, world, policy, renderer, timing, blending)
            made = rollout.run(words, criterion, self.duration)
        success = criterion.success()
        ending = made.ending
        reported = ending is not None and ending.outcome is InstructionOutcome.DONE
        if scenario.reason:
            # The reason of a bundle may name the words.
            success = ending is not None and not reported and scenario.reason in ending.reason
        held, at = criterion.held_at(), ending.at if ending is not None else None
        if at is not None and held is not None:
            held = min(held, at)
        outcome = EpisodeOutcome(
            task=task.name,
            kind=task.kind.value,
            success=success,
            error=criterion.error(),
            seconds=criterion.settled() if success else None,
            path=criterion.path,
            fallen=made.fallen,
            violations=made.violations,
            interventions=made.interventions,
            reported=reported,
            ended=at,
            held=None if scenario.reason else held,
        )
        return outcome, made

    def _policy(
        self, variant: str, world: World, renderer: Renderer, scenario: Scenario
    ) -> Policy | ExpertPolicy:
        if variant == 'expert':
            return ExpertPolicy(self.expert, world, renderer, scenario.task)
        return ImageAblated(self.policy) if variant == IMAGE_ABLATED else self.policy
