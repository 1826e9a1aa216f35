# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Closed loop in physics: camera, policy, safety filter, servos with balance, ground truth.

Everything that is between a policy and the joints on the robot is between them here: the observed
image is the head camera's at its own size, the chunk arrives late by LATENCY, `SafetyPipeline`
samples and limits it, `BalanceCorrection` keeps the robot upright.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common.errors import ConfigError
from vla_inference.policy import Observation, load_policy
from vla_models.expert import HORIZON, STEP, Expert, Target
from vla_models.judging import Judge
from vla_models.language import phrase
from vla_models.seeing import named_colours, target_of
from vla_models.tasks import ALL_TASKS, Kind, Task
from vla_robot import RobotModel
from vla_safety.pipeline import Chunk, SafetyPipeline
from vla_sim import Renderer, Scene, SensorNoise, World

DURATION = 9.0  # s
SERVO_PERIOD = 0.005  # s
FILTER_EVERY = 2  # servo periods
POLICY_EVERY = 20  # servo periods
LATENCY = 8  # servo periods from an observation to its chunk
CYCLE = (
    Kind.REACH,
    Kind.LOOK,
    Kind.POINT,
    Kind.WAVE,
    Kind.REACH,
    Kind.POINT,
    Kind.LOOK,
    Kind.READY,
    Kind.REST,
    Kind.STAND,
)
SEEING = (Kind.REACH, Kind.LOOK, Kind.POINT)
VARIANTS = ('policy', 'expert', 'blind', 'deaf')
SLACK = 1e-6  # rad and rad/s: rounding in a command


@dataclass(frozen=True)
class Scenario:
    """One episode to be judged; everything in it follows from a seed and a number."""

    number: int
    scene: Scene
    task: Task
    instruction: str
    misheard: str
    start: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    task: str
    kind: str
    success: bool
    error: float
    fallen: bool
    violations: int
    interventions: int


def make_scenario(robot: RobotModel, expert: Expert, seed: int, number: int) -> Scenario:
    """Scene, task, held-out phrasing and start pose. A cube out of the arm's reach is not asked
    for: scenes are drawn until the task can be done."""
    # Not the seeds that collection uses: that sequence has two numbers, this one three.
    rng = np.random.default_rng((7_000_003, seed, number))
    kind = CYCLE[number % len(CYCLE)]
    start = 'standing' if rng.random() < 0.5 else 'ready'
    start = {Kind.READY: 'standing', Kind.REST: 'ready'}.get(kind, start)
    while True:
        scene = Scene.sample(int(rng.integers(2**31)))
        world = World(robot, scene)
        world.reset(start)
        tasks = _feasible(world, expert, kind)
        if tasks:
            task = tasks[int(rng.integers(len(tasks)))]
            break
    words = random.Random(int(rng.integers(2**31)))
    others = [other for other in ALL_TASKS if _contradicts(other, task)]
    return Scenario(
        number,
        scene,
        task,
        phrase(task, words, held_out=True, typos=0.1),
        phrase(words.choice(others), words, held_out=True),
        start,
        int(rng.integers(2**31)),
    )


def _contradicts(other: Task, task: Task) -> bool:
    """Whether doing `other` is not also doing `task`."""
    if other == task:
        return False
    return not (Kind.STAND in (other.kind, task.kind) and {other.kind, task.kind} & _POSES)


_POSES = {Kind.REST, Kind.READY}


def _feasible(world: World, expert: Expert, kind: Kind) -> list[Task]:
    rotation, position = world.frame_pose('base')
    expert.at(world.joint_position)
    colours = named_colours(world.scene)
    found = []
    for task in ALL_TASKS:
        if task.kind is not kind:
            continue
        if task.colour is None:
            found.append(task)
        elif task.colour in colours:
            name = colours[task.colour]
            place = rotation.T @ (world.cube_position(name) - position)
            if expert.feasible(task, Target(place, world.scene.cube(name).size)):
                found.append(task)
    return found


class Brain(Protocol):
    """Whatever proposes motions: targets (h, k) rad for `joints` (k,) robot indices."""

    joints: np.ndarray

    def propose(self, world: World, renderer: Renderer, observation: Observation) -> np.ndarray: ...


class BundleBrain:
    """The bundle under test, as the inference node runs it."""

    def __init__(self, bundle: Path, robot: RobotModel, blind: bool = False) -> None:
        self.policy = load_policy(bundle, robot)
        action = self.policy.bundle.action
        self.joints = np.array([robot.index[name] for name in action.joints])
        self.camera = self.policy.bundle.image.camera
        self.blind = blind

    def propose(self, world: World, renderer: Renderer, observation: Observation) -> np.ndarray:
        image, _ = renderer.render(world.qpos)
        if self.blind:
            image = np.full_like(image, 128)
        seen = replace(observation, images={self.camera: image})
        return self.policy.predict(seen).positions


class ExpertBrain:
    """The demonstrator, with ground truth: the upper bound."""

    def __init__(self, robot: RobotModel, scenario: Scenario) -> None:
        self.expert = Expert(robot)
        self.joints = self.expert.joints
        self.task = scenario.task

    def propose(self, world: World, renderer: Renderer, observation: Observation) -> np.ndarray:
        target = None
        if self.task.has_target:
            name = named_colours(world.scene)[self.task.colour]
            target, _ = target_of(world, renderer, name, world.scene.cube(name).size)
        position = world.joint_position.copy()
        position[self.joints] = observation.position[self.joints]
        return self.expert.chunk(self.task, position, observation.elapsed, target)


def balance_of(robot: RobotModel) -> BalanceCorrection | None:
    """The correction that the driver would run; None for a robot without gains for it."""
    with contextlib.suppress(ConfigError):
        return BalanceCorrection(robot, BalanceGains.load(robot))
    return None


def run_episode(
    robot: RobotModel,
    pipeline: SafetyPipeline,
    brain: Brain,
    scenario: Scenario,
    instruction: str,
    *,
    duration: float = DURATION,
    watch: Callable[[World, float], None] | None = None,
) -> Outcome:
    """One scenario in physics."""
    world = World(robot, scenario.scene, seed=scenario.seed, sensor_noise=SensorNoise.typical())
    world.reset(scenario.start)
    camera = robot.camera
    renderer = Renderer(robot, scenario.scene, camera.width, camera.height)
    cube = None
    if scenario.task.has_target:
        cube = named_colours(scenario.scene)[scenario.task.colour]
    judge = Judge(world, scenario.task, cube, scenario.start)
    balance = balance_of(robot)
    reading = world.read()
    pipeline.reset(np.clip(world.joint_position, robot.limits.lower, robot.limits.upper))
    output = pipeline.tick(0.0, None, reading.position, reading.velocity)
    pending: tuple[int, Chunk] | None = None
    violations = interventions = 0
    last = output
    steps = round(SERVO_PERIOD / world.timestep)
    times = np.arange(1, HORIZON + 1) * STEP
    for tick in range(round(duration / SERVO_PERIOD)):
        now = tick * SERVO_PERIOD
        reading = world.read()
        if tick % POLICY_EVERY == 0:
            observation = Observation(
                images={},
                position=reading.position,
                velocity=reading.velocity,
                orientation=reading.orientation,
                instruction=instruction,
                stamp_ns=round(now * 1e9),
                elapsed=now,
            )
            positions = brain.propose(world, renderer, observation)
            pending = (tick + LATENCY, Chunk(brain.joints, times, positions, now))
        if pending is not None and tick >= pending[0]:
            if pipeline.accept(pending[1], now):
                interventions += 1
            pending = None
        if tick % FILTER_EVERY == 0:
            period = SERVO_PERIOD * FILTER_EVERY
            last, output = (
                output,
                pipeline.tick(now, period, reading.position, reading.velocity),
            )
            violations += _breaks_limits(robot, last, output, period)
            interventions += bool(output.violations)
        reference = output.position
        if balance is not None:
            reference = reference + balance.update(
                SERVO_PERIOD,
                reading.position,
                reading.velocity,
                reading.orientation,
                reading.angular_velocity,
                reading.left_wrench,
                reading.right_wrench,
                reference,
            )
        world.command(reference, output.velocity, output.effort)
        world.step(steps)
        if tick % 10 == 9:
            judge.watch(now)
            if watch is not None:
                watch(world, now)
            if judge.fallen:
                break
    renderer.close()
    return Outcome(
        scenario.task.name,
        scenario.task.kind.value,
        judge.success(),
        judge.error(),
        judge.fallen,
        violations,
        interventions,
    )


def _breaks_limits(robot: RobotModel, last, output, period: float) -> bool:
    """Whether a command that left the filter is outside of the robot's limits."""
    limits = robot.limits
    position, velocity = output.position, output.velocity
    acceleration = (velocity - last.velocity) / period
    inside = (
        (position >= limits.lower - SLACK)
        & (position <= limits.upper + SLACK)
        & (np.abs(velocity) <= limits.velocity + SLACK)
        & (np.abs(acceleration) <= limits.acceleration + SLACK / period)
    )
    return not bool(inside.all())


def wilson(successes: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    z, p = 1.959964, successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    # Rounding may leave the share itself outside by one bit.
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def summarise(outcomes: list[Outcome]) -> dict:
    """Success, falls and violations, in all and by kind of task."""

    def share(some: list[Outcome]) -> dict:
        good = sum(outcome.success for outcome in some)
        low, high = wilson(good, len(some))
        return {
            'success': round(good / len(some), 4) if some else None,
            'n': len(some),
            'ci95': [round(low, 4), round(high, 4)],
        }

    kinds = [kind.value for kind in Kind if any(o.kind == kind.value for o in outcomes)]
    tasks = {kind: share([o for o in outcomes if o.kind == kind]) for kind in kinds}
    for kind in kinds:
        finite = [o.error for o in outcomes if o.kind == kind and math.isfinite(o.error)]
        tasks[kind]['median_error'] = round(float(np.median(finite)), 4) if finite else None
    return {
        **share(outcomes),
        'tasks': tasks,
        'falls': sum(outcome.fallen for outcome in outcomes),
        'violations': sum(outcome.violations for outcome in outcomes),
        'interventions': sum(outcome.interventions for outcome in outcomes),
    }
