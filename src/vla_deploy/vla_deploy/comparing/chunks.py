# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How far two chunks of joint targets are apart, whatever networks they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_policy.types import ActionChunk

_RESAMPLES = 2000


@dataclass(frozen=True)
class Apart:
    """B minus A in rad, (h, k), at `times` of A that B reaches too, for the `joints` of both."""

    joints: tuple[str, ...]
    times: np.ndarray
    difference: np.ndarray

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(self.difference**2)))

    @property
    def largest(self) -> float:
        return float(np.abs(self.difference).max())


def apart(a: ActionChunk, b: ActionChunk) -> Apart:
    """B is read between its points where its times are others. Raises ValueError for chunks that
    have no joint or no moment in common."""
    joints = tuple(name for name in a.joints if name in b.joints)
    inside = (a.times >= b.times[0] - 1e-9) & (a.times <= b.times[-1] + 1e-9)
    if not joints or not inside.any():
        raise ValueError('the chunks have no joint or no moment in common')
    times = a.times[inside]
    columns_a = [a.joints.index(name) for name in joints]
    read = [np.interp(times, b.times, b.positions[:, b.joints.index(name)]) for name in joints]
    return Apart(joints, times, np.stack(read, axis=1) - a.positions[inside][:, columns_a])


@dataclass(frozen=True)
class Interval:
    """A mean, and where 95 % of the means of resamples lie."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {'mean': self.mean, 'ci95': [self.low, self.high]}


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """By the percentile bootstrap (Efron 1979): the same seed gives the same interval."""
    data = np.asarray(values, float)
    if not len(data):
        raise ValueError('no values')
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, len(data), (_RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(data.mean()), float(low), float(high))
