# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observation, action chunk and the interface of a policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vla_policy.bundle.bundle import Bundle

# Wider than any joint range: a target beyond this comes from a model with a wrong scale.
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
