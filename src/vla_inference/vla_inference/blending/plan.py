# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A chunk as a curve, and how two of them differ where one takes over from the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vla_policy.types import ActionChunk


class Plan:
    """A chunk with the stamp of its observation, read at any chunk time (s since then).

    Between points a cubic Hermite through the slopes of the parabolas over each point and its
    neighbours; before the first and after the last point the curve goes on straight and rests.
    """

    def __init__(self, chunk: ActionChunk, stamp_ns: int) -> None:
        self.chunk = chunk
        self.stamp_ns = stamp_ns
        self._times = np.asarray(chunk.times, float)
        self._positions = np.asarray(chunk.positions, float)

    @cached_property
    def _slopes(self) -> np.ndarray:
        return _slopes(self._times, self._positions)

    @property
    def joints(self) -> tuple[str, ...]:
        return self.chunk.joints

    @property
    def end(self) -> float:
        """Chunk time of the last point."""
        return float(self._times[-1])

    @cached_property
    def _cubics(self) -> np.ndarray:
        """(m - 1, 4, k): coefficients of s^0 to s^3 between each two points, s from 0 to 1."""
        p, v = self._positions, self._slopes
        h = (self._times[1:] - self._times[:-1])[:, None]
        gap, begin, end = p[1:] - p[:-1], h * v[:-1], h * v[1:]
        square, cube = 3.0 * gap - (2.0 * begin + end), begin + end - 2.0 * gap
        return np.stack([p[:-1], begin, square, cube], axis=1)

    def prepare(self) -> None:
        """Compute now what `positions` and `state` would compute first."""
        _ = self._cubics

    def positions(self, times: np.ndarray) -> np.ndarray:
        """Positions (m, k) rad at chunk times (m,)."""
        known, p = self._times, self._positions
        at = np.asarray(times, float)
        if len(known) == 1:
            return np.repeat(p, len(at), axis=0)
        i = np.searchsorted(known[1:-1], at, side='right')
        begin = known[i]
        s = (at - begin) / (known[i + 1] - begin)
        s = np.minimum(np.maximum(s, 0.0), 1.0)[:, None]
        c = self._cubics[i]
        found = c[:, 0] + s * (c[:, 1] + s * (c[:, 2] + s * c[:, 3]))
        if at.min(initial=known[0]) < known[0]:
            found += np.minimum(at - known[0], 0.0)[:, None] * self._slopes[0]
        return found

    def state(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position rad, velocity rad/s and acceleration rad/s^2, (k,) each."""
        times, p, v = self._times, self._positions, self._slopes
        if time <= times[0]:
            return p[0] + v[0] * (time - times[0]), v[0], np.zeros_like(v[0])
        if time >= times[-1]:
            return p[-1], np.zeros_like(v[-1]), np.zeros_like(v[-1])
        i = int(np.searchsorted(times, time, side='right')) - 1
        h = times[i + 1] - times[i]
        s = (time - times[i]) / h
        gap = p[i + 1] - p[i]
        square = 3.0 * gap - h * (2.0 * v[i] + v[i + 1])
        cube = h * (v[i] + v[i + 1]) - 2.0 * gap
        position = p[i] + s * (h * v[i] + s * (square + s * cube))
        velocity = v[i] + s * (2.0 * square + 3.0 * s * cube) / h
        acceleration = (2.0 * square + 6.0 * s * cube) / h**2
        return position, velocity, acceleration


@dataclass(frozen=True)
class Jump:
    """The largest over the joints: rad, rad/s, rad/s^2."""

    position: float = 0.0
    velocity: float = 0.0
    acceleration: float = 0.0


def jump(before: Plan, at_before: float, after: Plan, at_after: float) -> Jump:
    """The step from one plan to the other, each read at its own chunk time, over common joints."""
    common = [name for name in after.joints if name in before.joints]
    if not common:
        return Jump()
    i = [before.joints.index(name) for name in common]
    j = [after.joints.index(name) for name in common]
    old, new = before.state(at_before), after.state(at_after)
    return Jump(*(float(np.abs(b[j] - a[i]).max()) for a, b in zip(old, new, strict=True)))


def _slopes(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    if len(times) == 1:
        return np.zeros_like(positions)
    steps = (times[1:] - times[:-1])[:, None]
    chords = (positions[1:] - positions[:-1]) / steps
    slopes = np.empty_like(positions)
    slopes[0], slopes[-1] = chords[0], chords[-1]
    slopes[1:-1] = (steps[1:] * chords[:-1] + steps[:-1] * chords[1:]) / (steps[1:] + steps[:-1])
    return slopes
