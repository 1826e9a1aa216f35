# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Steps of a session: what the policy proposed, what the filter commanded, where the robot was.

A step is the first filter report that tracks a new chunk. The proposed action is the chunk's curve
at the filter's own playback time; the safe action is the newest command, the state the newest
measurement. A chunk that was never tracked has a line too, without actions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vla_common.chunk_curve import ChunkCurve, Interpolation

_KEPT = 20
"""Chunks that wait for being tracked."""


@dataclass
class Chunk:
    """A published chunk: times (h,) s, positions (h, k) rad of its joints."""

    stamp_ns: int
    published_ns: int
    joints: tuple[str, ...]
    times: np.ndarray
    positions: np.ndarray
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Joints:
    """Named positions (n,) rad."""

    names: tuple[str, ...]
    positions: np.ndarray

    def select(self, names: tuple[str, ...]) -> list[float | None]:
        """Positions of `names`; None for a joint that is not among them."""
        at = {name: i for i, name in enumerate(self.names)}
        return [float(self.positions[at[n]]) if n in at else None for n in names]


class StepRecorder:
    """Makes one line per chunk.

    Args:
        seconds: s of the session of a time in ns.
        emit: receives each step.
    """

    def __init__(
        self, seconds: Callable[[int], float], emit: Callable[[dict[str, Any]], None]
    ) -> None:
        self._seconds, self._emit = seconds, emit
        self._waiting: OrderedDict[int, Chunk] = OrderedDict()
        self._tracked = 0
        self.instruction = ''

    def chunk(self, chunk: Chunk) -> None:
        """A chunk was published."""
        self._waiting[chunk.stamp_ns] = chunk
        while len(self._waiting) > _KEPT:
            self._never_tracked(self._waiting.popitem(last=False)[1])

    def report(self, stamp_ns: int, facts: dict[str, Any]) -> None:
        """The ChunkReport of a chunk."""
        if (chunk := self._waiting.get(stamp_ns)) is not None:
            chunk.report = facts

    def tracks(self, stamp_ns: int) -> bool:
        """Whether the filter's report of this chunk is a step: the chunk is new to it."""
        return stamp_ns != self._tracked and stamp_ns in self._waiting

    def track(
        self,
        now_ns: int,
        stamp_ns: int,
        playback_time: float,
        interpolation: str,
        command: Joints | None,
        state: Joints | None,
        facts: dict[str, Any],
    ) -> None:
        """The filter tracks a chunk for the first time, at `playback_time` s into it."""
        self._tracked = stamp_ns
        while self._waiting:
            stamp, chunk = self._waiting.popitem(last=False)
            if stamp == stamp_ns:
                break
            self._never_tracked(chunk)
        try:
            curve = ChunkCurve(chunk.times, chunk.positions, None, Interpolation(interpolation))
            proposed = curve.state(playback_time)[0].tolist()
        except (ValueError, IndexError):  # a chunk that the filter cannot have played either
            proposed = None
        joints = chunk.joints
        self._emit(
            {
                **self._line(now_ns, chunk),
                'tracked': True,
                'joints': list(joints),
                'proposed': proposed,
                'safe': None if command is None else command.select(joints),
                'state': None if state is None else state.select(joints),
                'playback_time': playback_time,
                'latencies_ms': {
                    'observation_to_track': 1e-6 * (now_ns - stamp_ns),
                    'publish_to_track': 1e-6 * (now_ns - chunk.published_ns),
                    **chunk.report.get('latencies_ms', {}),
                    **facts.pop('latencies_ms', {}),
                },
                **facts,
            }
        )

    def close(self) -> None:
        """Report the chunks that are still waiting."""
        while self._waiting:
            self._never_tracked(self._waiting.popitem(last=False)[1])

    def _never_tracked(self, chunk: Chunk) -> None:
        line = self._line(chunk.published_ns, chunk)
        self._emit({**line, 'tracked': False, 'latencies_ms': chunk.report.get('latencies_ms', {})})

    def _line(self, now_ns: int, chunk: Chunk) -> dict[str, Any]:
        report = {key: value for key, value in chunk.report.items() if key != 'latencies_ms'}
        return {
            't': self._seconds(now_ns),
            'chunk_stamp_ns': chunk.stamp_ns,
            'instruction': self.instruction,
            **report,
        }
