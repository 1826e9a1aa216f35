# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle in physics with its chunks late by a given time and joined as the inference node joins
them: what each blending mode makes of a policy, not of an example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_inference.blender import Blender, Blending, BlendingParameters
from vla_models.evaluation import Episodes
from vla_models.rollout import SERVO_PERIOD
from vla_models.statistics import EpisodeOutcome
from vla_policy.types import ActionChunk
from vla_robot import RobotModel
from vla_safety.pipeline import Chunk, SafetyPipeline

MODES = tuple(mode.value for mode in Blending)


@dataclass(frozen=True)
class Joins:
    """One episode. borders (b, 3): the steps that were asked for, rad, rad/s, rad/s^2. jerk: RMS
    of what the filter sent to the joints that the policy moves, rad/s^3."""

    outcome: EpisodeOutcome
    borders: np.ndarray
    jerk: float


class JoiningPipeline:
    """A SafetyPipeline that is given chunks as they come and accepts them joined."""

    def __init__(self, pipeline: SafetyPipeline, robot: RobotModel, mode: str) -> None:
        self._pipeline = pipeline
        self._names = robot.joint_names
        self._blender = Blender(BlendingParameters(Blending(mode)))
        self._joints: np.ndarray | None = None
        self._velocities: list[np.ndarray] = []
        self._period = 0.0
        self.borders: list[tuple[float, float, float]] = []

    def reset(self, position: np.ndarray) -> None:
        self._pipeline.reset(position)
        self._blender.reset()
        self._velocities, self.borders = [], []

    def accept(self, chunk: Chunk, now: float) -> list:
        self._joints = chunk.joints
        names = tuple(self._names[i] for i in chunk.joints)
        told = ActionChunk(names, chunk.positions, chunk.times)
        joined = self._blender.join(told, _ns(chunk.stamp), _ns(now))
        if joined.chunk is None:
            return []
        if joined.border is not None:
            step = joined.jump
            self.borders.append((step.position, step.velocity, step.acceleration))
        made = Chunk(chunk.joints, joined.chunk.times, joined.chunk.positions, chunk.stamp)
        return self._pipeline.accept(made, now)

    def tick(self, now: float, period: float | None, position: np.ndarray, velocity: np.ndarray):
        output = self._pipeline.tick(now, period, position, velocity)
        self._velocities.append(output.velocity.copy())
        self._period = period or self._period
        return output

    @property
    def jerk(self) -> float:
        """RMS, rad/s^3, of the joints that chunks are about."""
        if self._joints is None:
            return 0.0
        sent = np.array(self._velocities)[:, self._joints]
        return float(np.sqrt(np.mean(np.square(np.diff(sent, n=2, axis=0) / self._period**2))))


class BlendedEpisodes(Episodes):
    """Runs one (mode, delay in s, number) at a time; see Episodes."""

    def __call__(self, item: tuple[str, float, int], watch=None) -> Joins:
        mode, delay, number = item
        self.latency = round(delay / SERVO_PERIOD)
        bare = self.body.pipeline
        joining = self.body.pipeline = JoiningPipeline(bare, self.robot, mode)
        try:
            outcome = super().__call__(('policy', number), watch)
        finally:
            self.body.pipeline = bare
        return Joins(outcome, np.array(joining.borders).reshape(-1, 3), joining.jerk)


def row(joins: list[Joins]) -> dict[str, float]:
    """The figures of one mode and delay."""
    borders = np.concatenate([one.borders for one in joins])
    p95 = np.percentile(borders, 95, axis=0) if len(borders) else np.zeros(3)
    done = [one.outcome for one in joins if one.outcome.success]
    return {
        'success': round(len(done) / len(joins), 4),
        'n': len(joins),
        'seconds': round(float(np.median([o.seconds for o in done])), 2) if done else None,
        'position_p95': round(float(p95[0]), 4),
        'velocity_p95': round(float(p95[1]), 3),
        'acceleration_p95': round(float(p95[2]), 2),
        'jerk_rms': round(float(np.mean([one.jerk for one in joins])), 1),
        'violations': sum(one.outcome.violations for one in joins),
    }


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
