# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy that runs a model file: preprocessing, runtime, denormalisation."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from vla_common.scheduling import NormalPriority
from vla_policy.bundle.bundle import Bundle
from vla_policy.preprocess import (
    DepthPreprocessor,
    ImagePreprocessor,
    PhasePreprocessor,
    StatePreprocessor,
)
from vla_policy.runtimes import Runtime
from vla_policy.sampling import Sampler, nearest_to_all
from vla_policy.tokenize import InstructionTokenizer
from vla_policy.types import (
    ActionChunk,
    InstructionRefused,
    Observation,
    PolicyError,
    Robot,
    check_positions,
)


class ModelPolicy:
    """A policy whose answer comes from a model file."""

    def __init__(self, bundle: Bundle, robot: Robot, runtime: Runtime) -> None:
        """Raises ConfigError when the tokenizer cannot be loaded."""
        action = bundle.action
        assert action is not None
        names = tuple(robot.joint_names)
        self.bundle = bundle
        self._runtime = runtime
        self._n = len(names)
        self._images = [ImagePreprocessor(spec) for spec in bundle.images]
        self._depths = [DepthPreprocessor(spec) for spec in bundle.depths]
        self._state = StatePreprocessor(bundle.state, names) if bundle.state else None
        self._phase = PhasePreprocessor(bundle.phase) if bundle.phase else None
        self._words = None
        if bundle.instruction is not None:
            self._words = InstructionTokenizer(bundle, bundle.instruction)
        self._action = action
        self._action_indices = np.array([names.index(name) for name in action.joints], np.intp)
        self._times = np.arange(1, action.horizon + 1) * action.step
        self._times.setflags(write=False)
        self._sampler = Sampler(bundle, runtime)
        self.takes_prefix = self._sampler.can_be_led
        self.preprocess_s = 0.0
        self.run_s = 0.0

    def check(self, instruction: str) -> None:
        if not instruction.strip():
            raise InstructionRefused('the instruction is empty')

    def reset(self) -> None:
        """Nothing is remembered between calls."""

    def inputs(self, observation: Observation) -> dict[str, np.ndarray]:
        """The model's input tensors: reused buffers, valid until the next call."""
        bundle = self.bundle
        tensors: dict[str, np.ndarray] = {}
        past = _filled_up(observation, bundle.history.frames - 1)
        try:
            for part in self._images:
                seen = [_seen(one.images, part.spec.camera, 'image') for one in past]
                tensors[part.spec.tensor] = part(seen[-1], seen[:-1])
            for part in self._depths:
                seen = [_seen(one.depths, part.spec.camera, 'depth image') for one in past]
                tensors[part.spec.tensor] = part(seen[-1], seen[:-1])
        except ValueError as error:
            raise PolicyError(str(error)) from error
        if self._state is not None:
            assert bundle.state is not None
            for one in past:
                if one.position.shape != (self._n,):
                    raise PolicyError(f'{one.position.shape} positions for {self._n} joints')
            felt = [(one.position, one.velocity) for one in past]
            tensors[bundle.state.tensor] = self._state(*felt[-1], felt[:-1])
        if self._words is not None:
            assert bundle.instruction is not None
            tensors[bundle.instruction.tensor] = self._words(observation.instruction)
        if self._phase is not None:
            assert bundle.phase is not None
            tensors[bundle.phase.tensor] = self._phase(observation.elapsed)
        if bundle.noise is not None:
            tensors[bundle.noise.tensor] = self._sampler.noise()
        return tensors

    def predict(self, observation: Observation) -> ActionChunk:
        began = time.perf_counter()
        tensors = self.inputs(observation)
        ready = time.perf_counter()
        answers = self._answers(tensors, observation)
        self.preprocess_s = ready - began
        self.run_s = time.perf_counter() - ready
        action = self._action
        positions = []
        for raw in answers:
            raw = np.asarray(raw)
            if raw.shape != action.shape:
                raise PolicyError(f'{action.tensor} has shape {raw.shape}, wanted {action.shape}')
            positions.append(self.targets(raw[0], observation))
            check_positions(positions[-1], action.joints)
        chosen, spread = nearest_to_all(positions)
        return ActionChunk(action.joints, positions[chosen], self._times, spread=spread)

    def _answers(
        self, tensors: dict[str, np.ndarray], observation: Observation
    ) -> list[np.ndarray]:
        try:
            return self._sampler.answers(self.run, tensors, self._wanted(observation))
        except PolicyError:
            raise
        except Exception as error:  # as in `run`
            raise PolicyError(f'{self._runtime.name}: {error}') from error

    def _wanted(self, observation: Observation) -> tuple[np.ndarray, np.ndarray] | None:
        """The prefix in the model's own terms, (h, k) and weights (h,); None where there is none
        that fits."""
        prefix, action = observation.prefix, self._action
        if prefix is None or prefix.joints != action.joints:
            return None
        if prefix.times.shape != self._times.shape or not np.allclose(prefix.times, self._times):
            return None
        positions = prefix.positions
        if action.kind == 'joint_delta':
            positions = positions - observation.position[self._action_indices]
        return (positions - action.mean) / action.std, prefix.weights

    def memory(self) -> int:
        """Bytes that the model holds on its device, 0 for the CPU."""
        measure = getattr(self._runtime, 'memory', None)
        return measure() if measure is not None else 0

    @property
    def graph(self) -> str:
        """Whether a CUDA graph was recorded, or why not; empty where there is none to record."""
        return getattr(self._runtime, 'graph', '')

    def run(self, tensors: dict[str, np.ndarray]) -> np.ndarray:
        """The model alone. Raises PolicyError."""
        try:
            with NormalPriority():
                return self._runtime.run(tensors)
        except Exception as error:  # whatever a model file can raise is the policy's failure
            raise PolicyError(f'{self._runtime.name}: {error}') from error

    def targets(self, raw: np.ndarray, observation: Observation) -> np.ndarray:
        """Positions (h, k) rad from the model's (h, k)."""
        action = self._action
        positions = raw.astype(np.float64) * action.std + action.mean
        if action.kind == 'joint_delta':
            positions += observation.position[self._action_indices]
        return positions

    def close(self) -> None:
        self._runtime.close()


def _filled_up(observation: Observation, count: int) -> list[Observation]:
    """The last `count` before the observation, and it. What is missing is the oldest there is: as
    at the beginning of a demonstration."""
    past = list(observation.past[len(observation.past) - count :]) if count else []
    oldest = past[0] if past else observation
    return [oldest] * (count - len(past)) + past + [observation]


def _seen(images: Mapping[str, np.ndarray], camera: str, what: str) -> np.ndarray:
    if camera not in images:
        raise PolicyError(f'no {what} of camera {camera}')
    return images[camera]
