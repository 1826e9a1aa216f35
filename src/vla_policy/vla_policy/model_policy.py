# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy that runs a model file: preprocessing, runtime, denormalisation."""

import time
from collections.abc import Mapping

import numpy as np

from vla_common.scheduling import NormalPriority
from vla_policy.action_decoder import ActionDecoder
from vla_policy.assessing import assess
from vla_policy.bundle.bundle import Bundle
from vla_policy.gripper_actions import GripperActions
from vla_policy.instruction import InstructionTokenizer
from vla_policy.preprocess import (
    DepthPreprocessor,
    ImagePreprocessor,
    PhasePreprocessor,
    StatePreprocessor,
)
from vla_policy.runtimes import LOG, Runtime, last_line
from vla_policy.sampling import Sampler, nearest_to_all
from vla_policy.types import (
    NO_ASSESSMENT,
    ActionChunk,
    Assessment,
    InstructionRefused,
    Observation,
    Policy,
    PolicyError,
    PoseError,
    Robot,
    check_positions,
)


class ModelPolicy(Policy):
    """A policy whose answers come from a model file."""

    def __init__(self, bundle: Bundle, robot: Robot, runtime: Runtime) -> None:
        """Raises ConfigError when the tokenizer cannot be loaded, or the robot lacks what the
        action names."""
        spec = bundle.model
        inputs, self._action = spec.inputs, spec.action
        names = tuple(robot.joint_names)
        self.bundle = bundle
        self._inputs = inputs
        self._judged = spec.judged
        self._said: list[Mapping[str, np.ndarray]] = []
        self._several = len(spec.answered) > 1
        self._memory = np.zeros(inputs.memory.shape, np.float32) if inputs.memory else None
        self._runtime = runtime
        self._n = len(names)
        self._images = [ImagePreprocessor(part) for part in inputs.images]
        self._depths = [DepthPreprocessor(part) for part in inputs.depths]
        self._state = StatePreprocessor(inputs.state, names) if inputs.state else None
        self._phase = PhasePreprocessor(inputs.phase) if inputs.phase else None
        self._tokenizer = None
        if inputs.instruction is not None:
            self._tokenizer = InstructionTokenizer(bundle, inputs.instruction)
        self._constants = {
            part.tensor: np.full(part.shape, part.value, part.dtype) for part in inputs.constants
        }
        self._action_indices = np.array([names.index(name) for name in self._action.joints], int)
        self._times = np.arange(1, self._action.horizon + 1) * self._action.step
        self._times.setflags(write=False)
        gripper = spec.followed_gripper
        self._gripper, self._gripper_tensor = None, ''
        if gripper is not None:
            self._gripper_tensor = gripper.tensor
            self._gripper = GripperActions(gripper, robot, self._action.horizon)
        self._sampler = Sampler(spec, runtime)
        self.takes_prefix = self._sampler.guided and self._action.space.takes_prefix
        self._decode = ActionDecoder(self._action.space, robot, self._action.step, str(bundle.file))
        self.graph = runtime.graph
        self.preprocess_s = 0.0
        self.run_s = 0.0

    def check(self, instruction: str) -> None:
        super().check(instruction)
        if self._tokenizer is not None:
            self._tokenizer.check(instruction)

    def reset(self) -> None:
        if self._gripper is not None:
            self._gripper.reset()
        if self._memory is not None:
            self._memory = np.zeros_like(self._memory)

    def inputs(self, observation: Observation) -> dict[str, np.ndarray]:
        """The model's input tensors: reused buffers, valid until the next call."""
        tensors: dict[str, np.ndarray] = {}
        past = observation.last(self._inputs.history.frames)
        try:
            for image in self._images:
                used = past[-image.spec.frames :]
                frames = [_of(one.images, image.spec.camera, 'image') for one in used]
                tensors[image.spec.tensor] = image(frames[-1], frames[:-1])
            for depth in self._depths:
                used = past[-depth.spec.frames :]
                frames = [_of(one.depths, depth.spec.camera, 'depth image') for one in used]
                tensors[depth.spec.tensor] = depth(frames[-1], frames[:-1])
        except ValueError as error:
            raise PolicyError(str(error)) from error
        if self._state is not None:
            for one in past:
                if one.position.shape != (self._n,):
                    raise PolicyError(f'{one.position.shape} positions for {self._n} joints')
            states = [(o.position, o.velocity) for o in past[-self._state.spec.frames :]]
            tensors[self._state.spec.tensor] = self._state(*states[-1], states[:-1])
        if self._tokenizer is not None:
            try:
                ids = self._tokenizer(observation.instruction)
            except InstructionRefused as error:
                raise PolicyError(str(error)) from error
            tensors[self._tokenizer.spec.tensor] = ids
            mask = self._inputs.mask
            if mask is not None:
                tensors[mask.tensor] = self._tokenizer.mask.astype(mask.dtype)
        if self._phase is not None:
            tensors[self._phase.spec.tensor] = self._phase(observation.elapsed)
        if self._inputs.noise is not None:
            tensors[self._inputs.noise.tensor] = self._sampler.noise()
        if self._memory is not None:
            tensors[self._inputs.memory.tensor] = self._memory
        tensors.update(self._constants)
        return tensors

    def predict(self, observation: Observation) -> ActionChunk:
        began = time.perf_counter()
        tensors = self.inputs(observation)
        ready = time.perf_counter()
        answers = self._answers(tensors, observation)
        self.preprocess_s = ready - began
        self.run_s = time.perf_counter() - ready
        action = self._action
        positions, errors = [], []
        for raw in answers:
            raw = np.asarray(raw)
            if raw.shape != action.shape:
                raise PolicyError(f'{action.tensor} has shape {raw.shape}, wanted {action.shape}')
            targets, error = self.targets(raw[0], observation)
            positions.append(targets)
            errors.append(error)
            check_positions(targets, action.joints)
        self._remember()
        chosen, spread = nearest_to_all(positions)
        joints, targets = action.joints, positions[chosen]
        if self._gripper is not None:
            joints += self._gripper.joints
            gripping = self._gripper.targets(self._said[chosen][self._gripper_tensor])
            targets = np.concatenate([targets, gripping], axis=1)
        return ActionChunk(
            joints,
            targets,
            self._times,
            spread=spread,
            assessment=self._assessment(),
            pose_error=errors[chosen],
        )

    def memory(self) -> int:
        return self._runtime.memory()

    def run(self, tensors: dict[str, np.ndarray]) -> np.ndarray:
        """The model alone. Raises PolicyError."""
        try:
            with NormalPriority():
                return self._runtime.run(tensors)
        except Exception as error:  # runtimes raise many types without a common base
            raise self._failed(error) from error

    def _run(self, tensors: dict[str, np.ndarray]) -> np.ndarray:
        """As `run`; keeps what the model says beside the action."""
        if not self._several:
            return self.run(tensors)
        try:
            with NormalPriority():
                answer = self._runtime.run_all(tensors)
        except Exception as error:  # as in `run`
            raise self._failed(error) from error
        self._said.append(answer)
        return answer[self._action.tensor]

    def _remember(self) -> None:
        """Keep the next memory. Raises PolicyError for one that cannot be used; then the last one
        stays."""
        memory = self._inputs.memory
        if memory is None:
            return
        found = np.asarray(self._said[-1][memory.following], np.float32)
        if found.shape != memory.shape:
            wanted = f'wanted {memory.shape}'
            raise PolicyError(f'{memory.following} has shape {found.shape}, {wanted}')
        if not np.isfinite(found).all():
            raise PolicyError(f'{memory.following} is not finite')
        self._memory = found.copy()

    def _assessment(self) -> Assessment:
        if not self._judged:
            return NO_ASSESSMENT
        try:
            return assess(self._judged, self._said, self._tokenizer)
        except ValueError as error:
            raise PolicyError(str(error)) from error

    def targets(
        self, raw: np.ndarray, observation: Observation
    ) -> tuple[np.ndarray, PoseError | None]:
        """Positions (h, k) rad from the model's (h, width), and what Cartesian actions leave.
        Raises PolicyError."""
        values = raw.astype(np.float64) * self._action.std + self._action.mean
        return self._decode(values, observation.position)

    def close(self) -> None:
        self._runtime.close()

    def _answers(
        self, tensors: dict[str, np.ndarray], observation: Observation
    ) -> list[np.ndarray]:
        self._said = []
        try:
            return self._sampler.answers(self._run, tensors, self._target(observation))
        except PolicyError:
            raise
        except Exception as error:  # as in `run`
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> PolicyError:
        """A runtime's error in one line; the whole of it at level debug."""
        LOG.debug('%s', self.bundle.file, exc_info=error)
        return PolicyError(f'{self._runtime.name}: {last_line(error)}')

    def _target(self, observation: Observation) -> tuple[np.ndarray, np.ndarray] | None:
        """The prefix, normalised (h, k), and its weights (h,); None without one that fits."""
        prefix, action = observation.prefix, self._action
        if prefix is None or prefix.joints != action.joints or not action.space.takes_prefix:
            return None
        if prefix.times.shape != self._times.shape or not np.allclose(prefix.times, self._times):
            return None
        positions = prefix.positions
        if action.kind == 'joint_delta':
            positions = positions - observation.position[self._action_indices]
        return (positions - action.mean) / action.std, prefix.weights


def _of(images: Mapping[str, np.ndarray], camera: str, what: str) -> np.ndarray:
    if camera not in images:
        raise PolicyError(f'no {what} of camera {camera}')
    return images[camera]
