# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Episodes of `filter_cost`: one setting, one scenario, on the classes of the robot's path.

    Rollout -> ObservedRuntime -> FilterRuntime -> SafetyFilter -> BrakingBarriers

Everything but the setting follows from seed and number, so that episodes of two settings are pairs.
"""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import numpy as np

from vla_common.parameters import Parameters
from vla_models.agents import ExpertPolicy
from vla_models.evaluation import Episodes
from vla_models.robot_stack import RobotStack
from vla_models.rollout import TIMESTEP, Rollout
from vla_models.scenarios import Scenario, make_scenario
from vla_models.scenes import named_colours
from vla_models.success import SuccessCriterion
from vla_policy.types import ActionChunk, Observation, Policy
from vla_safety.coupled.build import braking_barriers
from vla_safety.coupled.limits import CoupledMode
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Timeouts
from vla_safety.parameters import FilterParameters, load_parameters
from vla_sim import Renderer, SensorNoise, World
from vla_validation.filter_cost.clearance import Clearance
from vla_validation.filter_cost.observed import ObservedRuntime, Observer, UnfilteredRuntime
from vla_validation.filter_cost.obstacles import Course, make_course

POLICY, SCRIPTED, NOISY = 'policy', 'scripted', 'noisy'
AGENTS = (POLICY, SCRIPTED, NOISY)
OFF = 'off'
MODES = (OFF, *(mode.value for mode in CoupledMode))
FREE, OBSTACLES = 'free', 'obstacles'
WORLDS = (FREE, OBSTACLES)

NOISE = 0.05
"""rad, standard deviation of a chunk's offset of each joint of the noisy agent."""


@dataclass(frozen=True)
class Setting:
    """What differs between paired episodes.

    Attributes:
        agent: the bundle, the scripted policy with the true places, or that with noise.
        mode: of the coupled limits; OFF for no filter.
        scale: speed scale; an episode lasts 1/scale times as long.
        world: FREE: the table as the filter is configured for it; OBSTACLES: see `obstacles`.
    """

    agent: str
    mode: str
    scale: float
    world: str

    def __str__(self) -> str:
        return f'{self.agent} {self.mode} {self.scale:g} {self.world}'


class Noisy(Policy):
    """A policy with a random offset on every chunk, as large at its end as at its begin."""

    def __init__(self, policy: Policy, seed: int) -> None:
        self._policy, self.bundle = policy, policy.bundle
        self.check, self.reset = policy.check, policy.reset
        self._random = np.random.default_rng(seed)

    def predict(self, observation: Observation) -> ActionChunk:
        chunk = self._policy.predict(observation)
        offset = self._random.normal(0.0, NOISE, chunk.positions.shape[1])
        return replace(chunk, positions=chunk.positions + offset)


class CostStack(RobotStack):
    """A RobotStack whose filter is that of the coming episode: `prepare`, then a Rollout."""

    def prepare(
        self,
        parameters: FilterParameters,
        filtered: bool,
        course: Course,
        clearance: Clearance,
        scale: float,
        seconds: float,
    ) -> Observer:
        """The observer of the next runtime, in an episode of `seconds` s."""
        limit = {'time_limit': seconds + 1.0}  # a slow episode is not cut short
        self.inference = Parameters(**(vars(self.inference) | limit))
        barriers = braking_barriers(self.robot, parameters, lambda: 0.0, course.known)
        core = SafetyFilter(self.robot, parameters, (barriers,))
        timeouts = self._safety.timeouts.to(Timeouts)
        kind = FilterRuntime if filtered else UnfilteredRuntime
        runtime = kind(core, timeouts, self._safety.level_hold, barriers)
        if isinstance(runtime, UnfilteredRuntime):
            runtime.begin_tracking(parameters.interpolation, parameters.cross_fade)
        observer = Observer(clearance, parameters.interpolation, parameters.coupled)
        self.prepared = ObservedRuntime(runtime, observer, scale)
        return observer

    def runtime(self) -> ObservedRuntime:
        return self.prepared


class CostEpisodes(Episodes):
    """Runs one (Setting, seed, number) at a time, in a process of its own; see Episodes."""

    def __init__(self, bundle: str, robot: str, parameters: str | None, duration: float) -> None:
        super().__init__(bundle, robot, 0, parameters, duration)
        self.stack = CostStack(self.robot, parameters)
        self.parameters = load_parameters(parameters)
        self._scenario = lru_cache(4)(self._make_scenario)
        self._course = lru_cache(4)(self._make_course)

    def _make_scenario(self, seed: int, number: int) -> Scenario:
        return make_scenario(self.robot, self.expert.goals, seed, number)

    def _make_course(self, seed: int, number: int) -> Course:
        scenario = self._scenario(seed, number)
        return make_course(self.robot, self.expert, scenario, self.parameters.coupled, seed)

    def __call__(self, item: tuple[Setting, int, int]) -> dict:
        setting, seed, number = item
        scenario = self._scenario(seed, number)
        course = Course(scenario.scene)
        if setting.world == OBSTACLES:
            course = self._course(seed, number)
        return {
            **asdict(setting),
            'seed': seed,
            'number': number,
            'task': scenario.task.name,
            'kind': scenario.task.kind.value,
            'obstacle': course.kind,
            'clearance_m': round(course.clearance, 4),
            **self._measure(setting, scenario, course),
        }

    def _measure(self, setting: Setting, scenario: Scenario, course: Course) -> dict:
        noise = SensorNoise.typical()
        world = World(self.robot, course.scene, TIMESTEP, scenario.seed, noise)
        world.reset(scenario.start)
        coupled = course.settings(self.parameters.coupled)
        filtered = setting.mode != OFF
        seconds = self.duration / setting.scale
        if filtered:
            coupled = replace(coupled, mode=CoupledMode(setting.mode))
        observer = self.stack.prepare(
            replace(self.parameters, coupled=coupled),
            filtered,
            course,
            Clearance(world, course.names),
            setting.scale,
            seconds,
        )
        task, scene = scenario.task, course.scene
        cube = named_colours(scene)[task.colour] if task.has_target else None
        criterion = SuccessCriterion(world, task, cube, scenario.start)
        camera = self.robot.camera
        size = (camera.width, camera.height)
        with Renderer(self.robot, scene, *size, seed=scenario.seed) as renderer:
            policy: Policy = self.policy
            if setting.agent != POLICY:
                policy = ExpertPolicy(self.expert, world, renderer, task)
            if setting.agent == NOISY:
                policy = Noisy(policy, scenario.seed)
            rollout = Rollout(self.stack, world, policy, renderer)
            made = rollout.run(scenario.instruction, criterion, seconds)
        runtime = self.stack.prepared.runtime
        hold = runtime.core.hold
        return {
            'success': criterion.success(),
            'fallen': made.fallen,
            'beyond_limits': made.violations,
            'slowed_s': round(hold.slowed, 3),
            'held_s': round(hold.held, 3),
            'ended': runtime.motion_ended,
            'deadlock': not runtime.motion_ended and hold.held_for > hold.limit + 0.1,
            **observer.record(),
        }


def work(
    settings: list[Setting], episodes: int, seeds: list[int]
) -> list[tuple[Setting, int, int]]:
    """`episodes` of every setting, spread over the seeds; those of a scenario together."""
    places = [(seeds[i % len(seeds)], i // len(seeds)) for i in range(episodes)]
    return [(setting, seed, number) for seed, number in places for setting in settings]


def settings(
    agents: list[str], modes: list[str], scales: list[float], worlds: list[str]
) -> list[Setting]:
    """Every combination; without a filter there is one speed."""
    return [
        Setting(agent, mode, scale, world)
        for world in worlds
        for agent in agents
        for mode in modes
        for scale in (scales if mode != OFF else [1.0])
    ]
