# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Joins each new chunk to the one that is being played, and measures the step at the border.

While a policy computes, the robot plays the chunk before. When the answer arrives, its first
`delay` seconds are past: the filter starts in it at the time that is due. The modes differ at that
border:

- `replace`: the new chunk unchanged.
- `ensemble`: for each moment the mean of all chunks that cover it, with weights exp(-decay * i),
  i = 0 for the oldest (temporal ensembling of ACT, Zhao et al. 2023).
- `rtc`: the part that is played until the answer arrives is committed: the new chunk repeats it and
  is then blended over (real-time chunking, Black et al. 2025). A policy that takes a prefix
  (`Policy.takes_prefix`, a flow-matching head) samples its chunk to fit; for any other the
  transition is a weighted mean of both.

The old chunk is modelled as the filter plays it: with its interpolation, from the playback time and
rate in its status.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

import numpy as np

from vla_common.chunk_curve import ChunkCurve, Interpolation
from vla_policy.types import ActionChunk, ActionPrefix

NS = 1e-9


class Blending(str, Enum):
    """Mode, see above."""

    REPLACE = 'replace'
    ENSEMBLE = 'ensemble'
    RTC = 'rtc'


def chosen(parameter: str, bundle: str, guided: bool) -> Blending:
    """The mode of the parameter, else of the bundle, else rtc for a policy that takes a prefix, and
    replace for any other: chunks of a policy that does not sample agree."""
    natural = Blending.RTC if guided else Blending.REPLACE
    return Blending(parameter or bundle or natural)


@dataclass(frozen=True)
class BlendingParameters:
    """decay: of the ensemble's weights per chunk. chunks: in an ensemble. lead_over: s of the
    transition from the committed part to the new chunk (rtc)."""

    mode: Blending = Blending.RTC
    decay: float = 0.1
    chunks: int = 8
    lead_over: float = 0.8


@dataclass(frozen=True)
class Playback:
    """The filter's status. chunk_ns: stamp of the tracked chunk, 0 unknown; it was at `time` (s of
    chunk time) at `at_ns`, and moves with `speed_scale` (s of chunk time per s)."""

    speed_scale: float = 1.0
    interpolation: Interpolation = Interpolation.MINIMUM_JERK
    chunk_ns: int = 0
    at_ns: int = 0
    time: float = -1.0

    @classmethod
    def of_status(
        cls,
        speed_scale: float,
        interpolation: Interpolation,
        chunk_ns: int,
        at_ns: int,
        time: float,
    ) -> Self:
        """From the filter's status. A scale of 0 is that of a filter that has not tracked yet."""
        return cls(speed_scale or 1.0, interpolation, chunk_ns, at_ns, time)


UNKNOWN = Playback()
"""No status received: speed scale 1, and the filter's default interpolation."""


class Plan:
    """A chunk with the stamp of its observation, read at any chunk time (s since then)."""

    def __init__(
        self,
        chunk: ActionChunk,
        stamp_ns: int,
        interpolation: Interpolation = Interpolation.MINIMUM_JERK,
    ) -> None:
        self.chunk = chunk
        self.stamp_ns = stamp_ns
        self._curve = ChunkCurve(chunk.times, chunk.positions, interpolation=interpolation)
        self.end = self._curve.end
        self.positions, self.state = self._curve.sample, self._curve.state

    @property
    def joints(self) -> tuple[str, ...]:
        return self.chunk.joints

    def prepare(self) -> None:
        """Compute the coefficients now, not at the first read."""
        _ = self._curve.coefficients


@dataclass(frozen=True)
class Jump:
    """The largest step over the joints: rad, rad/s, rad/s^2."""

    position: float = 0.0
    velocity: float = 0.0
    acceleration: float = 0.0


def jump(before: Plan, at_before: float, after: Plan, at_after: float) -> Jump:
    """The step from one plan to the other, each at its own chunk time, over common joints."""
    common = [name for name in after.joints if name in before.joints]
    if not common:
        return Jump()
    i = [before.joints.index(name) for name in common]
    j = [after.joints.index(name) for name in common]
    old, new = before.state(at_before), after.state(at_after)
    return Jump(*(float(np.abs(b[j] - a[i]).max()) for a, b in zip(old, new, strict=True)))


def soft_mask(times: np.ndarray, frozen: float, end: float) -> np.ndarray:
    """Weights (h,) of the plan before: 1 up to `frozen`, falling to 0 at `end` (s of chunk time).

    The soft mask of real-time chunking (Black, Galliker, Levine 2025): c (e^c - 1) / (e - 1) with c
    falling linearly from 1 to 0. The plan before does not cover what is beyond `end`: 0.
    """
    span = max(end - frozen, 1e-9)
    c = np.clip((end - np.asarray(times, float)) / span, 0.0, 1.0)
    weights = c * np.expm1(c) / (math.e - 1.0)
    weights[times <= frozen] = 1.0
    weights[times > end] = 0.0
    return weights


@dataclass(frozen=True)
class Stretch:
    """The published times of a chunk: a player that starts at `start` is at chunk time `at`, and
    continues at `speed`."""

    at: float
    start: float
    speed: float

    def published(self, times: np.ndarray) -> np.ndarray:
        """Published times (h,) of chunk times (h,)."""
        times = np.asarray(times, float)
        before = times * (self.start / self.at) if self.at > 0.0 else times
        return np.where(times <= self.at, before, self.start + (times - self.at) / self.speed)

    def chunk_time(self, published: float) -> float:
        """The inverse."""
        if published < self.start:
            return published * self.at / self.start
        return self.at + (published - self.start) * self.speed


@dataclass(frozen=True)
class Joined:
    """chunk: to be published, None when all of it is past. delay: s since its observation.
    starved: s without anything to play before it. disagreement: rad, RMS against the overlapping
    plan, -1 without one. speed: factor by which the chunk was slowed down. border: the plan before
    and the new one, each with its chunk time at the border. fresh: the policy's own plan."""

    chunk: ActionChunk | None
    delay: float
    starved: float
    disagreement: float
    speed: float = 1.0
    border: tuple[Plan, float, Plan, float] | None = None
    fresh: Plan | None = None

    def prepare(self) -> None:
        """Compute what the next join reads: after publication this delays nothing."""
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

    # The largest of the last delays is committed: a policy that was late once may be again.
    REMEMBERED_DELAYS = 10

    def __init__(self, parameters: BlendingParameters = BlendingParameters()) -> None:
        self._parameters = parameters
        self._past: deque[tuple[Plan, float]] = deque(maxlen=max(1, parameters.chunks - 1))
        self._delays: deque[float] = deque(maxlen=self.REMEMBERED_DELAYS)
        self._playing: Plan | None = None
        self._published_ns = 0
        self._stretch = Stretch(0.0, 0.0, 1.0)

    @property
    def mode(self) -> Blending:
        return self._parameters.mode

    def reset(self) -> None:
        """Nothing is being played. The policy's delays are kept."""
        self._past.clear()
        self._playing = None
        self._stretch = Stretch(0.0, 0.0, 1.0)

    @property
    def expected_delay(self) -> float:
        """s from an observation to its chunk: the largest of the last ones."""
        return max(self._delays, default=0.0)

    def prefix(self, stamp_ns: int, playback: Playback = UNKNOWN) -> ActionPrefix | None:
        """The committed part for the observation of `stamp_ns`, at the times of the chunk before;
        None without one, or in another mode than rtc."""
        before = self._playing
        if self._parameters.mode is not Blending.RTC or before is None:
            return None
        times = np.asarray(before.chunk.times, float)
        shift = self._played(stamp_ns, playback)
        rest = before.end - shift
        if rest <= 0.0:
            return None
        frozen = _committed(times, self.expected_delay * self._rate(playback))
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
        playback: Playback = UNKNOWN,
        speed: Callable[[float], float] = full_speed,
    ) -> Joined:
        """`chunk` answers the observation of `stamp_ns` and is published now.

        speed: 0..1 for a disagreement (rad, -1 unknown); the rest of the chunk is stretched
        accordingly.
        """
        delay = (now_ns - stamp_ns) * NS
        self._delays.append(delay)
        # Since the observation the robot has moved at the rate of the plan before.
        before, at = self._playing, delay * self._rate(playback)
        fresh = Plan(chunk, stamp_ns, playback.interpolation)
        if at >= fresh.end:
            return Joined(None, delay, 0.0, -1.0)
        shift = self._played(stamp_ns, playback) if before is not None else 0.0
        known = before is not None and before.joints == chunk.joints and shift < before.end
        disagreement = _disagreement(self._past[-1][0], fresh, shift) if known else -1.0
        if known:
            blended = self._blend(fresh, before, shift, at)
            unchanged = blended is chunk
            joined = fresh if unchanged else Plan(blended, stamp_ns, playback.interpolation)
        else:
            joined = fresh
            self._past.clear()
        starved, border = 0.0, None
        if before is not None:
            starved = max(0.0, at + shift - before.end) / max(self._rate(playback), 1e-6)
            border = (before, at + shift, joined, at)
        # How far each remembered chunk's time is ahead of the new one's.
        self._past = deque(
            ((plan, ahead + shift) for plan, ahead in self._past), maxlen=self._past.maxlen
        )
        self._past.append((fresh, 0.0))
        self._playing, self._published_ns = joined, now_ns
        # The filter starts the published chunk at this time of it.
        start = delay * playback.speed_scale
        self._stretch = Stretch(at, start, min(1.0, max(0.05, speed(disagreement))))
        published = joined.chunk
        if self._stretch.speed < 1.0 or at != start:
            published = replace(published, times=self._stretch.published(published.times))
        return Joined(published, delay, starved, disagreement, self._stretch.speed, border, fresh)

    def _rate(self, playback: Playback) -> float:
        """s of chunk time per s, of the plan that is being played."""
        return playback.speed_scale * self._stretch.speed

    def _played(self, at_ns: int, playback: Playback) -> float:
        """Chunk time of the playing plan at a moment."""
        assert self._playing is not None
        if playback.chunk_ns == self._playing.stamp_ns and playback.time >= 0.0:
            since = (at_ns - playback.at_ns) * NS
            return self._stretch.chunk_time(playback.time) + since * self._rate(playback)
        since = (at_ns - self._published_ns) * NS
        # Before it was published, the plan before was played, at another rate.
        rate = self._rate(playback) if since > 0.0 else playback.speed_scale
        return self._stretch.at + since * rate

    def _blend(self, fresh: Plan, before: Plan, shift: float, at: float) -> ActionChunk:
        mode, chunk = self._parameters.mode, fresh.chunk
        if mode is Blending.REPLACE:
            return chunk
        if mode is Blending.ENSEMBLE:
            return replace(chunk, positions=self._mean(fresh, shift))
        times = np.asarray(chunk.times, float)
        old = before.positions(times + shift)
        # For a guided policy the mean only removes the error that the guidance left.
        frozen = _committed(times, at)
        end = min(frozen + self._parameters.lead_over, before.end - shift)
        w = soft_mask(times, frozen, end)[:, None]
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
    """End of the committed part: what is past at chunk time `at`, and two points more, because they
    determine the curve (its slope and curvature) on which the robot is."""
    last = min(int(np.searchsorted(times, at, side='right')) + 1, len(times) - 1)
    return float(times[last])


def _disagreement(before: Plan, fresh: Plan, shift: float) -> float:
    times = np.asarray(fresh.chunk.times, float) + shift
    common = int(np.searchsorted(times, before.end, side='right'))
    if common == 0:
        return -1.0
    off = (before.positions(times[:common]) - fresh.chunk.positions[:common]).ravel()
    return math.sqrt(float(off @ off) / off.size)
