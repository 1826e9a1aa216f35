# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Policies without a model: scripted motions, and the hold at the end of the fallback chain."""

from dataclasses import replace

import numpy as np

from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.scripted_spec import Motion, ScriptedSpec, read_scripted
from vla_policy.robot_motions import fit_to_robot, with_gripper_joints
from vla_policy.types import ActionChunk, InstructionRefused, Observation, Policy, Robot

LOST_RAD = 0.6
"""Joints further than this from the motion were moved otherwise (a stop, a push): it starts again
from the measured positions."""


class Scripted:
    """The runtime `scripted` of policy.yaml."""

    read = staticmethod(read_scripted)

    @staticmethod
    def load(bundle: Bundle, robot: Robot, timeout: float) -> 'ScriptedPolicy':
        return ScriptedPolicy(bundle, robot)


class ScriptedPolicy(Policy):
    """Carries out the motion whose words are in the instruction. Uses no image.

    The start is observed once per instruction: if every chunk started at the latest measurement,
    the arm would sink by the servo's steady-state error.
    """

    def __init__(self, bundle: Bundle, robot: Robot) -> None:
        assert isinstance(bundle.spec, ScriptedSpec)
        if bundle.spec.from_robot:
            spec, tasks = fit_to_robot(bundle.spec, bundle.tasks, robot)
            bundle = replace(bundle, spec=spec, tasks=tasks)
        spec = with_gripper_joints(bundle.spec, robot, str(bundle.file))
        bundle = replace(bundle, spec=spec)
        self.bundle = bundle
        self._spec = spec
        self._gripping = {robot.joint_names[i] for i in robot.gripper_joints}
        self._index = {name: i for i, name in enumerate(robot.joint_names)}
        self._lower = robot.limits.lower + robot.soft_margin
        self._upper = robot.limits.upper - robot.soft_margin
        chunk = bundle.spec.chunk
        self._times = np.arange(1, chunk.horizon + 1) * chunk.step
        self._times.setflags(write=False)
        self._last: tuple[str, float] | None = None
        self._start = np.zeros(0)
        self._began = 0.0

    def check(self, instruction: str) -> None:
        self._chosen(instruction)

    def reset(self) -> None:
        self._last = None

    def predict(self, observation: Observation) -> ActionChunk:
        motion = self._chosen(observation.instruction)
        indices = [self._index[name] for name in motion.joints]
        self._update_start(observation, motion, observation.position[indices])
        elapsed = observation.elapsed - self._began
        targets = motion.positions(self._start, elapsed + self._times)
        np.clip(targets, self._lower[indices], self._upper[indices], out=targets)
        return ActionChunk(
            joints=motion.joints,
            positions=targets,
            times=self._times,
            confidence=1.0,
            done=elapsed >= motion.total,
        )

    def _chosen(self, instruction: str) -> Motion:
        motion = self._spec.choose(instruction)
        if motion is None:
            motions = self._spec.motions.items()
            known = ', '.join(f'{name} ({" ".join(motion.words)})' for name, motion in motions)
            raise InstructionRefused(f'no motion for "{instruction}"; there are: {known}')
        return motion

    def _update_start(self, observation: Observation, motion: Motion, measured: np.ndarray) -> None:
        text, elapsed = observation.instruction, observation.elapsed
        last, self._last = self._last, (text, elapsed)
        if last is not None and last[0] == text and last[1] <= elapsed:
            expected = motion.positions(self._start, np.array([elapsed - self._began]))[0]
            # What a gripper holds keeps it from its target.
            body = [name not in self._gripping for name in motion.joints]
            if np.abs(expected - measured)[body].max(initial=0.0) <= LOST_RAD:
                return
        self._start = measured.copy()
        self._began = elapsed


class HoldPolicy(Policy):
    """Keeps the upper body at its position, for any instruction; grippers keep their grip, which a
    target at the measured position would end.

    Built from the robot alone, so it exists when no bundle can be trusted.
    """

    def __init__(self, robot: Robot) -> None:
        gripping = {int(i) for i in robot.gripper_joints}
        upper = (int(i) for i in robot.groups['upper_body'])
        joints = tuple(robot.joint_names[i] for i in upper if i not in gripping)
        motion = Motion('hold', ('hold',), {}, {}, joints, 2.0, 0.0, 0.0)
        spec = ScriptedSpec({'hold': motion})
        self.bundle = Bundle('hold', '1', 'scripted', spec, robot=robot.name)
        self._policy = ScriptedPolicy(self.bundle, robot)

    def check(self, instruction: str) -> None:
        """Accepts any instruction."""

    def reset(self) -> None:
        self._policy.reset()

    def predict(self, observation: Observation) -> ActionChunk:
        return self._policy.predict(replace(observation, instruction='hold'))
