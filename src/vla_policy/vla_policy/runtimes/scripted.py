# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Motions without a model: for the first minute with a robot, and as the fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.motions import ChunkShape, Motion, choose
from vla_policy.types import ActionChunk, InstructionRefused, Observation

# The joints have been taken elsewhere (a stop, a push): begin anew from where they are.
LOST_RAD = 0.6


class ScriptedPolicy:
    """Carries out the motion whose words the instruction has. Needs no image.

    The start is observed once per instruction: starting every chunk from the newest measurement
    would let the arm creep down by the servo's sag.
    """

    def __init__(self, bundle: Bundle, robot) -> None:
        self.bundle = bundle
        self._index = {name: i for i, name in enumerate(robot.joint_names)}
        limits = getattr(robot, 'limits', None)
        margin = getattr(robot, 'soft_margin', 0.0)
        self._lower = limits.lower + margin if limits is not None else None
        self._upper = limits.upper - margin if limits is not None else None
        chunk = bundle.chunk or ChunkShape()
        self._times = np.arange(1, chunk.horizon + 1) * chunk.step
        self._times.setflags(write=False)
        self._key: tuple[str, float] | None = None
        self._start = np.zeros(0)
        self._began = 0.0

    def check(self, instruction: str) -> None:
        if choose(self.bundle.motions, instruction) is None:
            known = ', '.join(
                f'{name} ({" ".join(motion.words)})' for name, motion in self.bundle.motions.items()
            )
            raise InstructionRefused(f'no motion for "{instruction}"; there are: {known}')

    def reset(self) -> None:
        self._key = None

    def predict(self, observation: Observation) -> ActionChunk:
        motion = choose(self.bundle.motions, observation.instruction)
        if motion is None:
            self.check(observation.instruction)
        indices = [self._index[name] for name in motion.joints]
        measured = observation.position[indices]
        self._anchor(observation, motion, measured)
        elapsed = observation.elapsed - self._began
        targets = motion.positions(self._start, elapsed + self._times)
        if self._lower is not None:
            np.clip(targets, self._lower[indices], self._upper[indices], out=targets)
        return ActionChunk(
            joints=motion.joints,
            positions=targets,
            times=self._times,
            confidence=1.0,
            done=elapsed >= motion.total,
        )

    def close(self) -> None:
        """Nothing is held."""

    def _anchor(self, observation: Observation, motion: Motion, measured: np.ndarray) -> None:
        known = self._key is not None and self._key[0] == observation.instruction
        if known and observation.elapsed >= self._key[1]:
            now = np.array([observation.elapsed - self._began])
            expected = motion.positions(self._start, now)[0]
            if np.abs(expected - measured).max() <= LOST_RAD:
                self._key = (observation.instruction, observation.elapsed)
                return
        self._start = measured.copy()
        self._began = observation.elapsed
        self._key = (observation.instruction, observation.elapsed)


class HoldPolicy:
    """The fallback: whatever the instruction, the upper body stays where it is.

    Built from the robot alone, so it is there when no bundle can be trusted.
    """

    def __init__(self, robot) -> None:
        joints = tuple(robot.joint_names[i] for i in robot.groups['upper_body'])
        motion = Motion('hold', ('hold',), {}, {}, joints, 2.0, 0.0, 0.0)
        bundle = Bundle(
            directory=Path(),
            name='hold',
            version='1',
            description='the fallback',
            licence='Apache-2.0',
            runtime='scripted',
            robot=robot.name,
            model='',
            image=None,
            state=None,
            instruction=None,
            phase=None,
            action=None,
            tasks=(),
            goal_like=False,
            motions={'hold': motion},
            chunk=ChunkShape(),
        )
        self.bundle = bundle
        self._policy = ScriptedPolicy(bundle, robot)

    def check(self, instruction: str) -> None:
        """Holding needs no words."""

    def reset(self) -> None:
        self._policy.reset()

    def predict(self, observation: Observation) -> ActionChunk:
        held = Observation(
            images={},
            position=observation.position,
            velocity=observation.velocity,
            orientation=observation.orientation,
            instruction='hold',
            stamp_ns=observation.stamp_ns,
            elapsed=observation.elapsed,
        )
        return self._policy.predict(held)

    def close(self) -> None:
        """Nothing is held."""
