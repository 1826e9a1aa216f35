# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Comparison of two policies A and B: chunks, latency, and success in the same scenes.

Their networks, cameras and horizons may differ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_deploy.closed_loop import PairedResult, pair
from vla_deploy.observations import Recording, observations_of
from vla_deploy.timing.interleaved import time_interleaved
from vla_models.statistics import EpisodeOutcome
from vla_policy.load import load_policy
from vla_policy.types import ActionChunk, Policy, PolicyError
from vla_robot import RobotModel

_RESAMPLES = 2000


@dataclass(frozen=True)
class ChunkDifference:
    """B minus A in rad, (h, k), at those `times` of A that B covers, for the common `joints`."""

    joints: tuple[str, ...]
    times: np.ndarray
    difference: np.ndarray

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(self.difference**2)))

    @property
    def largest(self) -> float:
        return float(np.abs(self.difference).max())


def chunk_difference(a: ActionChunk, b: ActionChunk) -> ChunkDifference:
    """B is interpolated linearly at the times of A. Raises ValueError for chunks that have no joint
    or no moment in common."""
    joints = tuple(name for name in a.joints if name in b.joints)
    inside = (a.times >= b.times[0] - 1e-9) & (a.times <= b.times[-1] + 1e-9)
    if not joints or not inside.any():
        raise ValueError('the chunks have no joint or no moment in common')
    times = a.times[inside]
    ours = a.positions[inside][:, [a.joints.index(name) for name in joints]]
    theirs = [np.interp(times, b.times, b.positions[:, b.joints.index(name)]) for name in joints]
    return ChunkDifference(joints, times, np.stack(theirs, axis=1) - ours)


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {'mean': self.mean, 'ci95': [self.low, self.high]}


def interval(values: Sequence[float]) -> Interval:
    """Percentile bootstrap of the mean (Efron 1979); deterministic."""
    data = np.asarray(values, float)
    if not len(data):
        raise ValueError('no values')
    rng = np.random.default_rng(0)
    means = data[rng.integers(0, len(data), (_RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(data.mean()), float(low), float(high))


@dataclass(frozen=True)
class RecordedComparison:
    """Comparison on a recording. rms_rad: RMS difference of an observation, over observations.
    joints: name to (largest, mean) absolute difference. worst: observation with the largest.
    latency_ms: median wall time of A and B. saved_ms: A minus B, round by round."""

    source: str
    observations: int
    rms_rad: Interval
    largest_rad: float
    joints: dict[str, tuple[float, float]]
    worst: int
    latency_ms: tuple[float, float]
    saved_ms: Interval

    def to_dict(self) -> dict:
        return {
            'recording': self.source,
            'observations': self.observations,
            'rms_rad': self.rms_rad.to_dict(),
            'largest_rad': self.largest_rad,
            'worst': self.worst,
            'joints': {name: list(pair) for name, pair in self.joints.items()},
            'latency_ms': list(self.latency_ms),
            'saved_ms': self.saved_ms.to_dict(),
        }


class _PolicyRunner:
    """A policy as a runner of `time_interleaved`: inputs are {'': observation}."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def run(self, inputs):
        return self._policy.predict(inputs[''])


def compare_recorded(
    a: Path,
    b: Path,
    recording: Recording,
    robot: RobotModel,
    *,
    rounds: int = 50,
    threads: int = 1,
    accept_failed: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> RecordedComparison:
    """Raises ConfigError: a bundle that cannot be loaded, or that cannot use this recording."""
    policies: list[Policy] = []
    try:
        for path in (a, b):
            policies.append(load_policy(path, robot, threads=threads, accept_failed=accept_failed))
        observations = observations_of(recording, robot)
        found = []
        for i, observation in enumerate(observations):
            for policy in policies:  # the observations are not consecutive: no memory
                policy.reset()
            try:
                found.append(
                    chunk_difference(*(policy.predict(observation) for policy in policies))
                )
            except (PolicyError, ValueError) as error:
                wanted = 'an observation that both policies can use'
                raise ConfigError(
                    recording.source, f'observation {i}', str(error), wanted
                ) from error
        runners = {name: _PolicyRunner(policy) for name, policy in zip('ab', policies, strict=True)}
        inputs = [{'': observation} for observation in observations]
        times = time_interleaved(runners, inputs, rounds, advance=advance)
    finally:
        for policy in policies:
            policy.close()
    joints = {}
    for column, name in enumerate(found[0].joints):
        absolute = np.concatenate([np.abs(one.difference[:, column]) for one in found])
        joints[name] = (float(absolute.max()), float(absolute.mean()))
    largest = [one.largest for one in found]
    first, second = (times[name].wall_ms for name in 'ab')
    return RecordedComparison(
        recording.source,
        len(found),
        interval([one.rms for one in found]),
        max(largest),
        joints,
        int(np.argmax(largest)),
        (float(np.median(first)), float(np.median(second))),
        interval(first - second),
    )


@dataclass(frozen=True)
class ClosedLoopComparison:
    """Comparison in the same scenes. later_s: B's time to success minus A's, over the scenes where
    both succeeded; None without one. tasks: kind to (A's successes, B's, scenes). falls: of A
    and B."""

    success: PairedResult
    later_s: Interval | None
    tasks: dict[str, tuple[int, int, int]]
    falls: tuple[int, int]

    def to_dict(self) -> dict:
        found = self.success
        return {
            'scenes': found.scenes,
            'a': found.before,
            'b': found.after,
            'difference': found.difference,
            'ci95': list(found.interval),
            'only_a': found.lost,
            'only_b': found.won,
            'b_no_worse': found.equal,
            'later_s': None if self.later_s is None else self.later_s.to_dict(),
            'tasks': {kind: list(counts) for kind, counts in self.tasks.items()},
            'falls': list(self.falls),
        }


def compare_closed_loop(
    a: Sequence[EpisodeOutcome], b: Sequence[EpisodeOutcome]
) -> ClosedLoopComparison:
    """Compare scene by scene. Raises ValueError unless both ran the same scenes."""
    if [o.task for o in a] != [o.task for o in b]:
        raise ValueError('the outcomes are of other scenes')
    tasks: dict[str, tuple[int, int, int]] = {}
    later = []
    for one, other in zip(a, b, strict=True):
        x, y, n = tasks.get(one.kind, (0, 0, 0))
        tasks[one.kind] = (x + one.success, y + other.success, n + 1)
        if one.seconds is not None and other.seconds is not None:
            later.append(other.seconds - one.seconds)
    success = pair([o.success for o in a], [o.success for o in b])
    falls = (sum(o.fallen for o in a), sum(o.fallen for o in b))
    return ClosedLoopComparison(success, interval(later) if later else None, tasks, falls)
