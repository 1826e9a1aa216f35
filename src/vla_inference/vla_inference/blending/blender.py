# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Joins each new chunk to what is being played, and measures how well that went.

While a policy thinks, the robot goes on playing the chunk before. When the answer comes, its first
`delay` seconds are past: the filter starts in it where it ought to be by then. What happens at that
border depends on the mode:

- `replace`: the new chunk as it is.
- `ensemble`: for each moment the mean of all chunks that speak of it, with weights
  exp(-decay * i), i = 0 for the oldest (temporal ensembling of ACT, Zhao et al. 2023).
- `rtc`: what will be played until the answer can arrive is committed: the new chunk has it
  unchanged, and from there on is led over softly (real-time chunking, Black et al. 2025). A policy
  that takes a prefix (`Bundle.takes_prefix`, a flow-matching head) samples its chunk so that it
  fits; for any other the lead-over is a weighted mean of both.

Chunk time runs at the speed scale of the filter, so plans are aligned by the time that really
passed times that scale.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from vla_inference.blending.mask import soft_mask
from vla_inference.blending.plan import Jump, Plan, jump
from vla_policy.types import ActionChunk, ActionPrefix

NS = 1e-9


class Blending(str, Enum):
    """See above."""

    REPLACE = 'replace'
    ENSEMBLE = 'ensemble'
    RTC = 'rtc'


def chosen(parameter: str, bundle: str, led: bool) -> Blending:
    """What the parameter says; else what the bundle says; else rtc for a policy that can be led by
    a prefix, and replace for any other: chunks of a policy that does not sample agree."""
    natural = Blending.RTC if led else Blending.REPLACE
    return Blending(parameter or bundle or natural)


@dataclass(frozen=True)
class BlendingParameters:
    """decay: of the ensemble's weights per chunk. chunks: that an ensemble remembers. lead_over: s
    from the end of the committed part until the new chunk speaks alone (rtc)."""

    mode: Blending = Blending.RTC
    decay: float = 0.1
    chunks: int = 8
    lead_over: float = 0.8


@dataclass(frozen=True)
class Joined:
    """chunk: to be published, None when all of it is past. delay: s since its observation.
    starved: s without anything to play before it. disagreement: rad, RMS against the overlapping
    plan, -1 without one. speed: what the chunk was slowed down to. border: the plan before and the
    new one, each with its own chunk time at the border. fresh: the policy's own plan."""

    chunk: ActionChunk | None
    delay: float
    starved: float
    disagreement: float
    speed: float = 1.0
    border: tuple[Plan, float, Plan, float] | None = None
    fresh: Plan | None = None

    def prepare(self) -> None:
        """Compute what the next join will look at: when this chunk is published, that is time
        which nobody waits for."""
        for plan in (self.fresh, self.border[2] if self.border is not None else None):
            if plan is not None:
                plan.prepare()

    @property
    def jump(self) -> Jump:
        """The step at the border."""
        return jump(*self.border) if self.border is not None else Jump()


def full_speed(disagreement: float) -> float:
    return 1.0


class Blender:
    """One policy's chunks within one instruction; `reset` forgets them. Not thread-safe."""

    # Committed is what can pass until the answer comes: the largest of the last delays, as a
    # policy that answers late once may do so again.
    REMEMBERED_DELAYS = 10

    def __init__(self, parameters: BlendingParameters = BlendingParameters()) -> None:
        self._parameters = parameters
        self._past: deque[tuple[Plan, float]] = deque(maxlen=max(1, parameters.chunks - 1))
        self._delays: deque[float] = deque(maxlen=self.REMEMBERED_DELAYS)
        self._playing: Plan | None = None
        self._published_ns = 0
        self._published_at = 0.0
        self._speed = 1.0

    @property
    def mode(self) -> Blending:
        return self._parameters.mode

    def reset(self) -> None:
        """Nothing is being played. What is known of the policy's delay is kept."""
        self._past.clear()
        self._playing = None
        self._speed = 1.0

    @property
    def expected_delay(self) -> float:
        """s from an observation to its chunk: the largest of the last ones."""
        return max(self._delays, default=0.0)

    def prefix(self, stamp_ns: int, scale: float = 1.0) -> ActionPrefix | None:
        """What the answer to an observation of `stamp_ns` has to begin with, on the grid of the
        chunk before; None when there is nothing to begin with, or the mode does not ask."""
        before = self._playing
        if self._parameters.mode is not Blending.RTC or before is None:
            return None
        times = np.asarray(before.chunk.times, float)
        shift = self._played(stamp_ns, scale)
        rest = before.end - shift
        if rest <= 0.0:
            return None
        frozen = _committed(times, self.expected_delay * scale * self._speed)
        return ActionPrefix(
            joints=before.joints,
            positions=before.positions(times + shift),
            times=times,
            weights=soft_mask(times, frozen, min(frozen + self._parameters.lead_over, rest)),
        )

    def join(
        self,
        chunk: ActionChunk,
        stamp_ns: int,
        now_ns: int,
        scale: float = 1.0,
        speed: Callable[[float], float] = full_speed,
    ) -> Joined:
        """`chunk` answers the observation of `stamp_ns`; it would be published now.

        scale: the filter's. speed: 0..1 for a disagreement (rad, -1 unknown); the rest of the chunk
        is stretched accordingly.
        """
        delay = (now_ns - stamp_ns) * NS
        self._delays.append(delay)
        # While the policy was thinking, the robot moved as fast as the plan before let it.
        before, at = self._playing, delay * scale * self._speed
        fresh = Plan(chunk, stamp_ns)
        if at >= fresh.end:
            return Joined(None, delay, 0.0, -1.0)
        shift = self._played(stamp_ns, scale) if before is not None else 0.0
        known = before is not None and before.joints == chunk.joints and shift < before.end
        disagreement = _disagreement(self._past[-1][0], fresh, shift) if known else -1.0
        if known:
            blended = self._blend(fresh, before, shift, at)
            joined = fresh if blended is chunk else Plan(blended, stamp_ns)
        else:
            joined = fresh
            self._past.clear()
        starved, border = 0.0, None
        if before is not None:
            starved = max(0.0, at + shift - before.end) / max(scale * self._speed, 1e-6)
            border = (before, at + shift, joined, at)
        # How far each remembered chunk's time is ahead of the new one's.
        self._past = deque(
            ((plan, ahead + shift) for plan, ahead in self._past), maxlen=self._past.maxlen
        )
        self._past.append((fresh, 0.0))
        self._playing = joined
        self._published_ns, self._published_at = now_ns, at
        self._speed = min(1.0, max(0.05, speed(disagreement)))
        told = joined.chunk
        if self._speed < 1.0 or at != delay * scale:
            told = replace(told, times=_stretched(told.times, at, delay * scale, self._speed))
        return Joined(told, delay, starved, disagreement, self._speed, border, fresh)

    def _played(self, at_ns: int, scale: float) -> float:
        """Chunk time of the playing plan at a moment."""
        assert self._playing is not None
        since = (at_ns - self._published_ns) * NS
        return self._published_at + since * scale * (self._speed if since > 0.0 else 1.0)

    def _blend(self, fresh: Plan, before: Plan, shift: float, at: float) -> ActionChunk:
        mode, chunk = self._parameters.mode, fresh.chunk
        if mode is Blending.REPLACE:
            return chunk
        if mode is Blending.ENSEMBLE:
            return replace(chunk, positions=self._mean(fresh, shift))
        times = np.asarray(chunk.times, float)
        old = before.positions(times + shift)
        # For a policy that was led the mean only takes out what the guidance left open.
        frozen = _committed(times, at)
        weights = soft_mask(
            times, frozen, min(frozen + self._parameters.lead_over, before.end - shift)
        )
        w = weights[:, None]
        return replace(chunk, positions=w * old + (1.0 - w) * chunk.positions)

    def _mean(self, fresh: Plan, shift: float) -> np.ndarray:
        times = np.asarray(fresh.chunk.times, float)
        plans = [*((plan, ahead + shift) for plan, ahead in self._past), (fresh, 0.0)]
        total = np.zeros_like(np.asarray(fresh.chunk.positions, float))
        weights = np.zeros(len(times))
        for i, (plan, ahead) in enumerate(plans):
            local = times + ahead
            known = local <= plan.end
            if known.any():
                weight = np.exp(-self._parameters.decay * i)
                total[known] += weight * plan.positions(local[known])
                weights[known] += weight
        return total / weights[:, None]


def _committed(times: np.ndarray, at: float) -> float:
    """Up to where the plan before is kept: what is past at chunk time `at`, and two points more,
    because they shape the curve (its slope and bend) on which the robot is."""
    last = min(int(np.searchsorted(times, at, side='right')) + 1, len(times) - 1)
    return float(times[last])


def _stretched(times: np.ndarray, at: float, start: float, speed: float) -> np.ndarray:
    """Chunk times such that a player which begins at `start` is where `at` was and goes on at
    `speed`."""
    times = np.asarray(times, float)
    before = times * (start / at) if at > 0.0 else times
    return np.where(times <= at, before, start + (times - at) / speed)


def _disagreement(before: Plan, fresh: Plan, shift: float) -> float:
    times = np.asarray(fresh.chunk.times, float) + shift
    common = int(np.searchsorted(times, before.end, side='right'))
    if common == 0:
        return -1.0
    off = (before.positions(times[:common]) - fresh.chunk.positions[:common]).ravel()
    return math.sqrt(float(off @ off) / off.size)
