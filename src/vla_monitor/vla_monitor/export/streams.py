# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The streams of a session that a dataset needs, as arrays over time.

Times are ns since 1970, as received, rising.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from vla_common.chunk_curve import ChunkCurve, Interpolation
from vla_common.states import FilterState

JUMP = 5_000_000
"""ns by which the time of reception of a stream goes back where the clock was set; less is two
threads of the middleware."""


@dataclass(frozen=True)
class JointSamples:
    """N readings of n joints: values (N, n) rad, received at log_ns, stamped stamp_ns (N,)."""

    names: tuple[str, ...]
    log_ns: np.ndarray
    stamp_ns: np.ndarray
    values: np.ndarray

    def columns(self, names: Sequence[str]) -> np.ndarray:
        """Places of these joints. Raises ValueError: one is not among them."""
        return np.array([self.names.index(name) for name in names], np.int64)


@dataclass(frozen=True)
class FilterSamples:
    """N reports of the safety filter, arrays (N,); see SafetyStatus."""

    log_ns: np.ndarray
    stamp_ns: np.ndarray
    state: np.ndarray
    chunk_stamp: np.ndarray
    playback_time: np.ndarray
    playback_rate: np.ndarray
    interventions: np.ndarray
    interpolation: str

    @property
    def tracking(self) -> np.ndarray:
        """(N,) whether a chunk was followed."""
        return (self.state == FilterState.TRACKING) & (self.chunk_stamp > 0)


class RecordedChunk:
    """A chunk: its joints, and times (h,) s, positions (h, k) rad, velocities or None."""

    def __init__(
        self,
        joints: tuple[str, ...],
        times: np.ndarray,
        positions: np.ndarray,
        velocities: np.ndarray | None,
    ) -> None:
        self.joints = joints
        self._given = times, positions, velocities
        self._curve: ChunkCurve | None = None

    def at(self, time: float, interpolation: str) -> np.ndarray | None:
        """Its curve (k,) rad at `time` s into it; None: no curve goes through these points."""
        try:
            if self._curve is None:
                self._curve = ChunkCurve(*self._given, Interpolation(interpolation))
            position = self._curve.state(time)[0]
        except (ValueError, IndexError):
            return None
        return position if np.isfinite(position).all() else None


class ImageStream(Protocol):
    """The images of one camera: N of them, height and width in pixels."""

    log_ns: np.ndarray
    stamp_ns: np.ndarray
    height: int
    width: int

    def read(self, numbers: Sequence[int]) -> Iterator[np.ndarray | None]:
        """The images with these numbers (rising, some may repeat), (h, w, 3) RGB; None for one that
        cannot be read."""


@dataclass
class Streams:
    """What was recorded. `problems`: what could not be read, for the operator."""

    start_ns: int
    robot: str
    name: str
    state: JointSamples
    command: JointSamples
    filter: FilterSamples
    chunks: dict[int, RecordedChunk]
    events: list[dict[str, Any]]
    cameras: dict[str, ImageStream]
    jumps: list[tuple[int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def in_order(log_ns: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The order (N,) that sorts times, and the spans (ns) that were recorded twice: the clock was
    set back."""
    newest = np.maximum.accumulate(log_ns)
    at = np.flatnonzero(np.diff(log_ns) < -JUMP)
    spans = [(int(log_ns[i + 1]), int(newest[i])) for i in at]
    return np.argsort(log_ns, kind='stable'), spans


def newest_before(log_ns: np.ndarray, times: np.ndarray) -> np.ndarray:
    """For each time the number of the newest sample received by then; -1: none."""
    return np.searchsorted(log_ns, times, side='right') - 1
