# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observation, action chunk, and the interface of a policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from vla_policy.bundle.bundle import Bundle

PLAUSIBLE_RAD = 4.0 * np.pi
"""Wider than any joint range: a target beyond it comes from a model with a wrong scale."""


class PolicyError(RuntimeError):
    """The policy did not answer, or its answer cannot be used."""


class InstructionRefused(ValueError):  # noqa: N818 - an event, like StopIteration
    """The policy cannot carry out this instruction."""


@dataclass(frozen=True)
class ActionPrefix:
    """The committed part of the motion, for policies that take a prefix (real-time chunking).

    positions rad (h, k) of `joints` at `times` s (h,) after the observation. weights (h,): 1 is
    committed, 0 is free.
    """

    joints: tuple[str, ...]
    positions: np.ndarray
    times: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Observation:
    """Sensor readings of one instant, and the instruction.

    images: camera name -> uint8 RGB (h, w, 3). position rad (n,), velocity rad/s (n,): robot
    order. orientation: of the base, (w, x, y, z). stamp_ns: system clock. elapsed: s since the
    instruction began. prefix: for blending `rtc`. depths: camera name -> float32 (h, w) m. past:
    earlier observations, oldest first, as the bundle's `history` requires.
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

    def last(self, frames: int) -> list[Observation]:
        """The last `frames` observations, this one included, oldest first. Missing ones are copies
        of the oldest, as at the beginning of a demonstration."""
        past = list(self.past[len(self.past) - frames + 1 :]) if frames > 1 else []
        oldest = past[0] if past else self
        return [oldest] * (frames - 1 - len(past)) + past + [self]


@dataclass(frozen=True)
class Assessment:
    """The policy's own view of an instruction and its observation; probabilities 0..1, -1 unknown.

    understood: that it can follow the words. words: of each word, that it fits; empty where the
    policy does not tell. unknown: words that the tokenizer has no token for. possible: that it is
    possible here. reasons: that it is not, for each reason of the bundle. done: that it is
    achieved.
    """

    understood: float = -1.0
    possible: float = -1.0
    done: float = -1.0
    words: tuple[tuple[str, float], ...] = ()
    unknown: tuple[str, ...] = ()
    reasons: tuple[float, ...] = ()


NO_ASSESSMENT = Assessment()


@dataclass(frozen=True)
class PoseError:
    """How well joint targets follow a Cartesian action. position, rotation: m and rad that are left
    at the last point, of the worst end effector. path: m, the largest at any point. reason: why the
    robot cannot follow, for the operator; empty if it can."""

    position: float
    rotation: float
    path: float
    reason: str = ''


@dataclass(frozen=True)
class ActionChunk:
    """Joint targets: positions rad (h, k) of `joints` (k names), times s (h,) after the
    observation, strictly rising. confidence 0..1, -1 unknown. done: whether the instruction is
    carried out; None unknown. spread: rad, RMS distance to the other chunks sampled for the same
    observation; -1 without others. assessment: by a policy that has `Bundle.acceptance`.
    pose_error: of Cartesian actions."""

    joints: tuple[str, ...]
    positions: np.ndarray
    times: np.ndarray
    confidence: float = -1.0
    done: bool | None = None
    spread: float = -1.0
    assessment: Assessment = NO_ASSESSMENT
    pose_error: PoseError | None = None

    @property
    def cannot_follow(self) -> str:
        """Why the targets do not reach what the policy wants; empty if they do."""
        return self.pose_error.reason if self.pose_error is not None else ''


class Policy(Protocol):
    """A policy as the inference node runs it; one thread calls it. Implementations inherit what
    has a default here."""

    bundle: Bundle
    takes_prefix: bool = False
    """Whether `Observation.prefix` guides the chunk."""
    run_s: float = 0.0
    """s that the model took in the last prediction, 0 unknown."""
    graph: str = ''
    """Whether a CUDA graph was recorded, or why not; empty for runtimes without one."""

    def check(self, instruction: str) -> None:
        """Raise InstructionRefused for an instruction that the policy cannot carry out."""
        if not instruction.strip():
            raise InstructionRefused('the instruction is empty')

    def reset(self) -> None:
        """A new instruction begins: clear the state of the last one."""

    def predict(self, observation: Observation) -> ActionChunk:
        """Raises PolicyError when there is no usable answer."""
        ...

    def first_call(self, observation: Observation, limit: float) -> ActionChunk:
        """As `predict`, before the robot may move: it may take `limit` s, because a policy server
        compiles its model for it."""
        return self.predict(observation)

    def memory(self) -> int:
        """Bytes on the device, 0 for the CPU."""
        return 0

    def close(self) -> None:
        """Release model and connections."""


class Robot(Protocol):
    """The part of a robot that policies use. limits: lower, upper, rad (n,). soft_margin: rad.
    frames: name -> link. grippers: name -> `vla_robot.Gripper`; gripper_joints: their indices."""

    name: str
    joint_names: tuple[str, ...]
    groups: Mapping[str, Sequence[int]]
    frames: Mapping[str, str]
    poses: Mapping[str, np.ndarray]
    paths: Mapping[str, tuple[str, ...]]
    limits: Any
    soft_margin: np.ndarray
    grippers: Mapping[str, Any]
    gripper_joints: np.ndarray

    def chain(self, frame: str) -> tuple[int, ...]:
        """Joints between the base and a frame."""
        ...


def check_positions(positions: np.ndarray, joints: tuple[str, ...]) -> None:
    """Raise PolicyError unless every target is finite and plausible as an angle."""
    if np.abs(positions).max(initial=0.0) <= PLAUSIBLE_RAD:  # false for NaN
        return
    finite = np.isfinite(positions)
    if not finite.all():
        bad = sorted({joints[k] for k in np.nonzero(~finite)[1]})
        raise PolicyError(f'targets that are not finite: {", ".join(bad)}')
    k = int(np.argmax(np.abs(positions).max(axis=0)))
    worst = float(np.abs(positions[:, k]).max())
    raise PolicyError(f'target of {joints[k]} is {worst:.3g} rad, beyond {PLAUSIBLE_RAD:.3g}')


class ChunkCheck:
    """The node's own check of a chunk: a policy may be third-party code.

    known: the robot's joints."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._checked: tuple[tuple[str, ...], bytes] | None = None

    def __call__(self, chunk: ActionChunk) -> None:
        """Raise PolicyError unless the chunk has the promised form."""
        positions, times = np.asarray(chunk.positions), np.asarray(chunk.times, float)
        k = len(chunk.joints)
        if positions.ndim != 2 or positions.shape[1] != k or len(positions) == 0 or k == 0:
            raise PolicyError(f'chunk has shape {positions.shape} for {k} joints')
        if times.shape != (len(positions),):
            raise PolicyError(f'{times.shape} times for {len(positions)} points')
        form = (tuple(chunk.joints), times.tobytes())
        if form != self._checked:
            self._check_form(chunk.joints, times)
            self._checked = form
        check_positions(positions, chunk.joints)
        _check_assessment(chunk.assessment)

    def _check_form(self, joints: tuple[str, ...], times: np.ndarray) -> None:
        if not (np.isfinite(times).all() and times[0] > 0.0 and (np.diff(times) > 0.0).all()):
            raise PolicyError('times are not strictly rising from above 0')
        unknown = [name for name in joints if name not in self._known]
        if unknown:
            raise PolicyError(f'unknown joints: {", ".join(unknown)}')
        if len(set(joints)) != len(joints):
            raise PolicyError('a joint is named twice')


def _check_assessment(found: Assessment) -> None:
    if found is NO_ASSESSMENT:
        return
    for name in ('understood', 'possible', 'done'):
        value = getattr(found, name)
        if not (0.0 <= value <= 1.0 or value == -1.0):
            raise PolicyError(f'{name} is {value:g}, wanted 0 to 1')
    if not all(0.0 <= value <= 1.0 for value in (*found.reasons, *(p for _, p in found.words))):
        raise PolicyError('the assessment has probabilities beyond 0 to 1')
