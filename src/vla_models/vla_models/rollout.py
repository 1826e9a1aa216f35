# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One episode in physics: camera, brain, safety filter, servos with balance, ground truth.

Everything that is between a policy and the joints on the robot is between them here: the chunk
arrives late by LATENCY, `SafetyPipeline` samples and limits it, `BalanceCorrection` keeps the
robot upright. Collection and evaluation both run this; only the brain differs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common.errors import ConfigError
from vla_models.expert import HORIZON, STEP
from vla_models.success import SuccessCriterion
from vla_policy.types import Observation
from vla_robot import RobotModel
from vla_safety.parameters import FilterParameters
from vla_safety.pipeline import Chunk, SafetyPipeline
from vla_sim import World

SERVO_PERIOD = 0.005  # s
TIMESTEP = SERVO_PERIOD / 2  # of physics
FILTER_EVERY = 2  # servo periods
POLICY_EVERY = 20  # servo periods
JUDGE_EVERY = 10  # servo periods
LATENCY = 8  # servo periods from an observation to its chunk
SLACK = 1e-6  # rad and rad/s: rounding in a command
TIMES = np.arange(1, HORIZON + 1) * STEP


class Brain(Protocol):
    """Whatever proposes motions: targets (h, k) rad for `joints` (k,) robot indices."""

    joints: np.ndarray

    def propose(self, world: World, observation: Observation) -> np.ndarray: ...


@dataclass(frozen=True)
class Run:
    """What an episode was like: s it took, commands outside of limits, filter periods in which
    the filter had something to object to, and whether the robot fell."""

    seconds: float
    violations: int
    interventions: int
    fallen: bool


class Body:
    """What is between a chunk and the servos: the safety filter, and the correction that the
    driver would run (none for a robot without gains for it). One for any number of episodes."""

    def __init__(self, robot: RobotModel, parameters: FilterParameters) -> None:
        self.pipeline = SafetyPipeline(robot, parameters)
        self.balance: BalanceCorrection | None = None
        with contextlib.suppress(ConfigError):
            self.balance = BalanceCorrection(robot, BalanceGains.load(robot))

    def reset(self, position: np.ndarray) -> None:
        """Begin an episode at rest at `position` (n,) rad."""
        self.pipeline.reset(position)
        if self.balance is not None:
            self.balance.reset()


def run(
    world: World,
    body: Body,
    brain: Brain,
    judge: SuccessCriterion,
    instruction: str,
    duration: float,
    *,
    finished: Callable[[float], bool] = lambda now: False,
    watch: Callable[[World, float], None] | None = None,
    latency: int = LATENCY,
) -> Run:
    """Run a world that has just been reset for `duration` s, or until `finished` or a fall.
    latency: servo periods from an observation to its chunk; one is asked for at a time."""
    robot = world.robot
    pipeline, balance = body.pipeline, body.balance
    reading = world.read()
    body.reset(np.clip(world.joint_position, robot.limits.lower, robot.limits.upper))
    output = pipeline.tick(0.0, None, reading.position, reading.velocity)
    pending: tuple[int, Chunk] | None = None
    violations = interventions = 0
    steps = round(SERVO_PERIOD / world.timestep)
    if abs(steps * world.timestep - SERVO_PERIOD) > 1e-9:
        raise ValueError(f'timestep {world.timestep} s does not divide {SERVO_PERIOD} s')
    now = 0.0
    for tick in range(round(duration / SERVO_PERIOD)):
        now = tick * SERVO_PERIOD
        reading = world.read()
        if tick % POLICY_EVERY == 0 and pending is None:
            observation = Observation(
                images={},
                position=reading.position,
                velocity=reading.velocity,
                orientation=reading.orientation,
                instruction=instruction,
                stamp_ns=round(now * 1e9),
                elapsed=now,
            )
            positions = brain.propose(world, observation)
            pending = (tick + latency, Chunk(brain.joints, TIMES, positions, now))
        if pending is not None and tick >= pending[0]:
            interventions += bool(pipeline.accept(pending[1], now))
            pending = None
        if tick % FILTER_EVERY == 0:
            period = SERVO_PERIOD * FILTER_EVERY
            last = output
            output = pipeline.tick(now, period, reading.position, reading.velocity)
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
        if tick % JUDGE_EVERY == JUDGE_EVERY - 1:
            judge.watch(now)
            if watch is not None:
                watch(world, now)
            if judge.fallen or finished(now):
                break
    return Run(now, violations, interventions, judge.fallen)


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
