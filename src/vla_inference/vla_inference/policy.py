# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A loaded policy: observation in, chunk of joint targets out, or a PolicyError."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from vla_common.errors import ConfigError
from vla_common.scheduling import Ordinary
from vla_inference.bundle import Bundle, load_bundle, with_precision
from vla_inference.locate import is_address
from vla_inference.preprocess import (
    DepthPreprocessor,
    ImagePreprocessor,
    PhasePreprocessor,
    StatePreprocessor,
)
from vla_inference.runtimes import Runtime, load_runtime
from vla_inference.sampling import Sampler, nearest_to_all
from vla_inference.tokenize import InstructionTokenizer

# Wider than any joint: a target beyond this is a model that has lost its scale.
PLAUSIBLE_RAD = 4.0 * np.pi


class PolicyError(RuntimeError):
    """The policy could not answer, or its answer cannot be used."""


class InstructionRefused(ValueError):  # noqa: N818 - says what happened, like StopIteration
    """The policy cannot carry out this instruction at all."""


@dataclass(frozen=True)
class ActionPrefix:
    """What a chunk has to begin with, for policies that can be led (real-time chunking).

    positions rad (h, k) of `joints` at `times` s (h,) after the observation. weights (h,): 1 is
    committed, 0 is free.
    """

    joints: tuple[str, ...]
    positions: np.ndarray
    times: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Observation:
    """Everything that was seen at one instant.

    images: camera name -> uint8 RGB (h, w, 3). position rad (n,), velocity rad/s (n,): robot
    order. orientation: of the base, (w, x, y, z). stamp_ns: system clock. elapsed: s since the
    instruction began. prefix: what is committed of the motion now under way, for `rtc`. depths:
    camera name -> float32 (h, w) m. past: what was seen before, oldest first, as the bundle's
    `history` asks for.
    """

    images: Mapping[str, np.ndarray]
    position: np.ndarray
    velocity: np.ndarray
    orientation: np.ndarray
    instruction: str
    stamp_ns: int
    elapsed: float
    prefix: ActionPrefix | None = None
    depths: Mapping[str, np.ndarray] = field(default_factory=dict)
    past: tuple[Observation, ...] = ()


@dataclass(frozen=True)
class ActionChunk:
    """Joint targets: positions rad (h, k) of `joints` (k names), times s (h,) after the
    observation, strictly rising. confidence 0..1, -1 unknown. done: the policy says whether the
    instruction is carried out; None when it does not know. spread: rad, RMS between this and the
    other chunks that a policy sampled for the same observation; -1 without others."""

    joints: tuple[str, ...]
    positions: np.ndarray
    times: np.ndarray
    confidence: float = -1.0
    done: bool | None = None
    spread: float = -1.0


class Policy(Protocol):
    """What the node runs. One thread calls it."""

    bundle: Bundle

    def check(self, instruction: str) -> None:
        """Raise InstructionRefused when this instruction means nothing to the policy."""
        ...

    def reset(self) -> None:
        """A new instruction begins: forget the last one."""
        ...

    def predict(self, observation: Observation) -> ActionChunk:
        """Raise PolicyError instead of answering something that cannot be used."""
        ...

    def close(self) -> None: ...


class Robot(Protocol):
    """As much of a robot as a policy has to know."""

    name: str
    joint_names: tuple[str, ...]


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
            with Ordinary():
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


def check_positions(positions: np.ndarray, joints: tuple[str, ...]) -> None:
    """Raise PolicyError unless every target is finite and plausible as an angle."""
    if np.abs(positions).max(initial=0.0) <= PLAUSIBLE_RAD:  # not so where one is no number
        return
    finite = np.isfinite(positions)
    if not finite.all():
        bad = sorted({joints[k] for k in np.nonzero(~finite)[1]})
        raise PolicyError(f'targets that are not finite: {", ".join(bad)}')
    k = int(np.argmax(np.abs(positions).max(axis=0)))
    worst = float(np.abs(positions[:, k]).max())
    raise PolicyError(f'target of {joints[k]} is {worst:.3g} rad, beyond {PLAUSIBLE_RAD:.3g}')


class ChunkCheck:
    """The node's own last check of what a policy answers: a policy may be anybody's code.

    known: the robot's joints."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._good: tuple[tuple[str, ...], bytes] | None = None

    def __call__(self, chunk: ActionChunk) -> None:
        """Raise PolicyError unless the chunk is what a policy promises."""
        positions, times = np.asarray(chunk.positions), np.asarray(chunk.times, float)
        k = len(chunk.joints)
        if positions.ndim != 2 or positions.shape[1] != k or len(positions) == 0 or k == 0:
            raise PolicyError(f'chunk has shape {positions.shape} for {k} joints')
        if times.shape != (len(positions),):
            raise PolicyError(f'{times.shape} times for {len(positions)} points')
        form = (tuple(chunk.joints), times.tobytes())
        if form != self._good:  # else it has passed before
            self._check_form(chunk.joints, times)
            self._good = form
        check_positions(positions, chunk.joints)

    def _check_form(self, joints: tuple[str, ...], times: np.ndarray) -> None:
        if not (np.isfinite(times).all() and times[0] > 0.0 and (np.diff(times) > 0.0).all()):
            raise PolicyError('times are not strictly rising from above 0')
        unknown = [name for name in joints if name not in self._known]
        if unknown:
            raise PolicyError(f'unknown joints: {", ".join(unknown)}')
        if len(set(joints)) != len(joints):
            raise PolicyError('a joint is named twice')


def load_policy(
    path: str | Path,
    robot: Robot,
    *,
    threads: int = 1,
    device: str = 'cpu',
    accept_failed: bool = False,
    timeout: float = 0.5,
    precision: str = '',
) -> Policy:
    """Load the bundle at `path`, or ask the server at ws://host:port what it needs. A bundle that
    failed its verification is loaded only if `accept_failed`. timeout: s for one call of a remote
    policy. precision: instead of the bundle's own, see `with_precision`. Raises ConfigError."""
    if is_address(str(path)):
        if precision:
            raise ConfigError('parameters', 'precision', precision, 'none: the server has its own')
        from vla_inference.remote.load import load_address

        return load_address(str(path), robot, timeout)
    bundle = with_precision(load_bundle(path, robot, accept_failed=accept_failed), precision)
    if bundle.remote is not None:
        from vla_inference.remote.load import load_remote

        return load_remote(bundle, robot, timeout)
    if bundle.runtime == 'scripted':
        from vla_inference.runtimes.scripted import ScriptedPolicy

        return ScriptedPolicy(bundle, robot)
    return ModelPolicy(bundle, robot, load_runtime(bundle, threads, device))


def warm_up(policy: Policy, observation: Observation, times: int = 5) -> list[float]:
    """Seconds that each of `times` predictions took. Raises PolicyError."""
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        policy.predict(observation)
        durations.append(time.perf_counter() - began)
    policy.reset()
    return durations
