# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter in an episode, observed tick by tick; and commands without a filter."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from vla_common.chunk_curve import ChunkCurve, Interpolation
from vla_common.states import FilterState, Level
from vla_safety.chunk import Chunk, ChunkTracker
from vla_safety.coupled.limits import CoupledSettings
from vla_safety.filter import Output
from vla_safety.filter_runtime import FilterRuntime, Report
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.violations import Violation, ViolationKind
from vla_validation.filter_cost.clearance import SEEN, Clearance

STOP_AFTER = 0.1
"""s of a hold that make it a stop."""
NUISANCE = 5e-3
"""m; a stop of a motion that would have kept more than this is a nuisance."""
SPARSE = 5
"""Ticks between two measurements of deviation and clearance."""
AHEAD = 8
"""Places on the rest of a chunk whose clearance is measured at a stop."""
CURVE = 41
"""Places on a chunk to which the deviation is measured."""
TIMED = 9
"""Every so many ticks the time of one is kept."""
GEOMETRIC = ('collision', 'unproven', 'infeasible', 'proximity')


@dataclass(frozen=True)
class Stop:
    """A motion that coupled limits held.

    Attributes:
        second: since the start of the episode.
        by: the limit, as in SafetyStatus.
        clearance: m, true, at the command that was sent.
        ahead: m, the least on what the policy wanted to do next: the rest of its chunk. For the
            workspace the distance of a hand from its side; None for limits without a distance.
        nuisance: ahead is more than NUISANCE; None where there is no distance.
    """

    second: float
    by: str
    clearance: float
    ahead: float | None
    nuisance: bool | None


class Observer:
    """What one episode's ticks show.

    Args:
        clearance: of the episode's world.
        interpolation: of the filter.
        coupled: the filter's, for the workspace.
    """

    def __init__(
        self, clearance: Clearance, interpolation: Interpolation, coupled: CoupledSettings
    ) -> None:
        self._clearance, self._interpolation, self._coupled = clearance, interpolation, coupled
        self._chunk: tuple[int, ChunkCurve, np.ndarray, np.ndarray] | None = None
        self._stopped = False
        self.ticks = self.contact_ticks = self.changed = 0
        self.kinds: Counter[str] = Counter()
        self.deviations: list[float] = []
        self.least_command = SEEN
        self.stops: list[Stop] = []
        self.tick_us: list[int] = []

    def on_chunk(
        self, joints: np.ndarray, times: np.ndarray, positions: np.ndarray, stamp: int
    ) -> None:
        """A chunk that was accepted."""
        curve = ChunkCurve(times, positions, None, self._interpolation)
        places = curve.sample(np.linspace(0.0, curve.end, CURVE))
        self._chunk = stamp, curve, places, joints

    def on_tick(self, report: Report, runtime: FilterRuntime, seconds: float) -> None:
        """One tick and the CPU time that it took."""
        output = report.command
        if output is None or report.state is FilterState.GATED:
            return
        self.ticks += 1
        self.changed += output.changed
        self.kinds.update({item.kind.value for item in report.violations})
        self.contact_ticks += self._clearance.touching()
        if self.ticks % TIMED == 0:
            self.tick_us.append(round(1e6 * seconds))
        if self.ticks % SPARSE == 0:
            self._clearance.place(output.position)
            self.least_command = min(self.least_command, self._clearance.to_obstacles())
            tracked = self._tracked(output)
            if tracked is not None:
                _, places, joints = tracked
                off = np.abs(places - output.position[joints]).max(axis=1)
                self.deviations.append(float(off.min()))
        hold = runtime.core.hold
        if hold.held_for >= STOP_AFTER and not self._stopped:
            self._stopped = True
            self.stops.append(self._stop(output, hold.limited_by))
        elif hold.held_for == 0.0:
            self._stopped = False

    def _tracked(self, output: Output) -> tuple[ChunkCurve, np.ndarray, np.ndarray] | None:
        if self._chunk is None or self._chunk[0] != output.chunk_sequence:
            return None
        return self._chunk[1:]

    def _stop(self, output: Output, by: str) -> Stop:
        self._clearance.place(output.position)
        now = self._clearance.nearest()[0]
        ahead: float | None = None
        tracked = self._tracked(output)
        kind = by.split(' ')[0].rstrip(':')
        if tracked is not None and (kind in GEOMETRIC or kind == ViolationKind.WORKSPACE.value):
            curve, _, joints = tracked
            ahead = SEEN
            q = output.position.copy()
            for place in curve.sample(np.linspace(output.playback_time, curve.end, AHEAD)):
                q[joints] = place
                self._clearance.place(q)
                ahead = min(ahead, self._room(by) if kind == 'workspace' else
                            self._clearance.nearest()[0])  # fmt: skip
        nuisance = None if ahead is None else ahead > NUISANCE
        rounded = None if ahead is None else round(ahead, 5)
        return Stop(0.01 * self.ticks, by, round(now, 5), rounded, nuisance)

    def _room(self, by: str) -> float:
        """m from the named hand ('workspace left_hand x') to the nearest side."""
        point = self._clearance.hand(by.split(' ')[1])
        sides = (point - self._coupled.lower, np.asarray(self._coupled.upper) - point)
        return float(np.min(sides))

    def record(self) -> dict:
        """As kept for each episode."""
        deviations = self.deviations or [0.0]
        return {
            'ticks': self.ticks,
            'changed': self.changed,
            'by_kind': dict(self.kinds),
            'deviation_mean': round(float(np.mean(deviations)), 5),
            'deviation_max': round(float(np.max(deviations)), 5),
            'contact_ticks': self.contact_ticks,
            'least_command_m': round(self.least_command, 5),
            'stops': [asdict(stop) for stop in self.stops],
            'tick_us': self.tick_us,
        }


class ObservedRuntime:
    """A FilterRuntime as a Rollout uses it; every call is passed on and observed.

    Args:
        speed_scale: in place of the supervisor's.
    """

    def __init__(self, runtime: FilterRuntime, observer: Observer, speed_scale: float) -> None:
        self.runtime, self._observer, self._scale = runtime, observer, speed_scale
        self._index = {name: i for i, name in enumerate(runtime.core.names)}
        self.measured, self.reference = runtime.measured, runtime.reference
        self.on_imu, self.counts = runtime.on_imu, runtime.counts

    @property
    def motion_ended(self) -> str:
        return self.runtime.motion_ended

    def on_supervisor(self, command: SupervisorCommand, now: float) -> None:
        self.runtime.on_supervisor(replace(command, speed_scale=self._scale), now)

    def on_chunk(
        self,
        names: Sequence[str],
        times: np.ndarray,
        positions: np.ndarray,
        velocities: np.ndarray | None,
        stamp: int,
        age: float,
        now: float,
    ) -> list[Violation]:
        found = self.runtime.on_chunk(names, times, positions, velocities, stamp, age, now)
        if not found:
            joints = np.array([self._index[name] for name in names])
            self._observer.on_chunk(joints, times, positions, stamp)
        return found

    def tick(self, now: float) -> Report:
        begin = time.thread_time()
        report = self.runtime.tick(now)
        self._observer.on_tick(report, self.runtime, time.thread_time() - begin)
        return report


class UnfilteredRuntime(FilterRuntime):
    """Sends the chunk's own curve: no validation, no limits. Simulation only: a baseline."""

    def begin_tracking(self, interpolation: Interpolation, cross_fade: float) -> None:
        """Must be called once. See ChunkTracker."""
        n = len(self.core.names)
        self._tracker = ChunkTracker(n, interpolation, cross_fade)
        self._target = np.zeros((2, n))
        self._position: np.ndarray | None = None

    def on_chunk(
        self,
        names: Sequence[str],
        times: np.ndarray,
        positions: np.ndarray,
        velocities: np.ndarray | None,
        stamp: int,
        age: float,
        now: float,
    ) -> list[Violation]:
        joints = np.array([self._index[name] for name in names])
        chunk = Chunk(joints, times, positions, now - age, velocities, stamp)
        self._tracker.take(chunk, now, self.gate.command.speed_scale)
        return []

    def tick(self, now: float) -> Report:
        dt = 0.0 if self._last_tick is None else now - self._last_tick
        self._last_tick = now
        silent = self.gate.silent(now)
        if not self.gate.allowed or silent:
            self._position = None
            return self._gated(now, silent)
        if self._position is None:
            self._position = self.reference.position.copy()
        tracker, scale = self._tracker, self.gate.command.speed_scale
        velocity = np.zeros_like(self._position)
        if tracker.chunk is not None:
            tracker.advance(dt, scale)
            if tracker.ended:
                tracker.clear()
        if tracker.chunk is not None:
            tracker.sample(scale, self._target)
            covered = tracker.covered != 0
            self._position[covered] = self._target[0, covered]
            velocity[covered] = self._target[1, covered]
        self.core.reset(self._position)
        state = FilterState.NO_CHUNK if tracker.chunk is None else FilterState.TRACKING
        command = self.core.resting(self._rotation)._replace(
            velocity=velocity,
            state=state,
            speed_scale=scale,
            chunk_sequence=0 if tracker.chunk is None else tracker.chunk.sequence,
            playback_time=tracker.playback_time,
            playback_rate=scale,
        )
        return Report(command, state, '', Level.SAFE, ())
