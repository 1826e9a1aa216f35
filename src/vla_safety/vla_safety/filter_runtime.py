# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter under a supervisor: what the node does, without the node.

Messages come in as plain numbers with the steady time at which they arrived; `tick` says what to
publish. Three things decide what it does: the gate (is motion allowed?), the age of the measured
state (may anything be trusted?), and the filter (which command is nearest and keeps the limits?).

    allowed, state fresh    the filter tracks chunks
    allowed, state stale    the filter brakes, chunk dropped
    silent supervisor       the filter brakes, chunk dropped; at rest: gated
    not allowed             gated: the command is the driver's own reference, velocity 0, so that
                            a later RUNNING begins without a jump
    RUNNING, begun before   gated, and silent: the driver follows commands now, and one at rest
    this filter was active  would halt a joint at once; without any it brakes by itself
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_common.states import FilterState, Hysteresis, Level
from vla_common.watchdog import Watchdog
from vla_safety.chunk import Chunk
from vla_safety.filter import REST_SPEED, Output, SafetyFilter
from vla_safety.supervisor_command import MotionGate, SupervisorCommand
from vla_safety.validation import joint_indices
from vla_safety.violations import LEVELS, Violation, ViolationKind, violation


@dataclass(frozen=True)
class Timeouts:
    """s, ages above which a source is not believed."""

    state: float
    supervisor: float
    reference: float
    imu: float
    balance: float


@dataclass(frozen=True)
class Report:
    """What one tick says. `command` is None while nothing is known about the joints."""

    command: Output | None
    state: FilterState
    reason: str
    level: Level
    violations: tuple[Violation, ...]


class Surroundings(Protocol):
    """What wants to know about feet and range sensors; see coupled.barriers."""

    def stand_on(self, left: bool, right: bool) -> None: ...

    def see(self, frame: str, distance: float, age: float) -> None: ...


@dataclass
class SensedRange:
    """Newest word of one range sensor: m, its stamp (ns), and when it came (s, steady)."""

    distance: float = 0.0
    sequence: int = -1
    arrived: float = -np.inf


class JointReadings:
    """Newest positions and velocities of one source, with their age.

    Args:
        name: of the source.
        n: joints.
        timeout: s.
    """

    def __init__(self, name: str, n: int, timeout: float) -> None:
        self._watchdog = Watchdog(name, timeout)
        self.position = np.zeros(n)
        self.velocity = np.zeros(n)
        self.refused = 0

    def hear(self, position: np.ndarray, velocity: np.ndarray, sequence: int, now: float) -> bool:
        """Take a reading; return False where it is not finite or not new, thus not believed."""
        if not (np.isfinite(position).all() and np.isfinite(velocity).all()):
            self.refused += 1
            return False
        if not self._watchdog.beat(now, sequence):
            return False
        self.position[:] = position
        self.velocity[:] = velocity
        return True

    @property
    def timeout(self) -> float:
        """s."""
        return self._watchdog.timeout

    def ahead(self, now: float, out: np.ndarray) -> np.ndarray:
        """Where the joints are by `now` if they went on as when last heard: position + velocity·age
        into `out` (n,). A reading is old by the time that it takes to come and to be looked at."""
        np.multiply(self.velocity, min(max(self.age(now), 0.0), self.timeout), out)
        out += self.position
        return out

    def fresh(self, now: float) -> bool:
        return not self._watchdog.expired(now)

    def age(self, now: float) -> float:
        return self._watchdog.age(now)


class FilterRuntime:
    """See the module.

    Args:
        core: the filter.
        timeouts: see there.
        level_hold: s that the reported level stays after its cause is gone.
        surroundings: the coupled limits that want to know about feet and range sensors, if any.
    """

    def __init__(
        self,
        core: SafetyFilter,
        timeouts: Timeouts,
        level_hold: float,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.core = core
        self._surroundings = surroundings
        self._balance = Watchdog('balance', timeouts.balance)
        self._contacts = (True, True)
        self._ranges: dict[str, SensedRange] = {}
        self._ahead = np.zeros(len(core.names))
        n = len(core.names)
        self._index: Mapping[str, int] = {name: i for i, name in enumerate(core.names)}
        self.gate = MotionGate(timeouts.supervisor)
        self.measured = JointReadings('joint_states', n, timeouts.state)
        self.reference = JointReadings('joint_reference', n, timeouts.reference)
        self._imu = Watchdog('imu', timeouts.imu)
        self._rotation = np.eye(3)
        self._level = Hysteresis(level_hold)
        self._moving = False
        self._pending: list[Violation] = []
        self._last_tick: float | None = None
        self._last_rejection = ''
        self.ticks = 0
        self.chunks_accepted = 0
        self.chunks_rejected = 0
        self.interventions = 0
        self.counts: Counter[ViolationKind] = Counter()

    def restart(self) -> None:
        """Begin anew (activation): nothing tracked, nothing allowed until RUNNING begins again."""
        self._moving = False
        self._last_tick = None
        self._pending.clear()
        self.core.flush('just activated')
        self.gate.close()

    # --- what is heard ---------------------------------------------------------------------

    def hear_supervisor(self, order: SupervisorCommand, now: float) -> None:
        """A change of mode or epoch, or the end of a silence, flushes; RUNNING starts again from
        what the servos track by then."""
        if self.gate.hear(order, now):
            self._moving = False
            self._last_rejection = ''

    def hear_imu(self, orientation: Sequence[float], sequence: int, now: float) -> None:
        """Base orientation (w, x, y, z). Not a unit quaternion: not believed."""
        w, x, y, z = orientation
        norm = w * w + x * x + y * y + z * z
        if not 0.98 <= norm <= 1.02 or not self._imu.beat(now, sequence):
            return
        self._rotation[:] = (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )

    def hear_contacts(self, left: bool, right: bool, sequence: int, now: float) -> None:
        """Which feet carry the robot, as the balance monitor sees it."""
        if self._balance.beat(now, sequence):
            self._contacts = (left, right)

    def hear_range(self, frame: str, distance: float, sequence: int, now: float) -> bool:
        """What the range sensor at `frame` sees, m; infinite: nothing, not a number: not believed.

        Returns:
            Whether it was new and finite or infinite.
        """
        sensed = self._ranges.setdefault(frame, SensedRange())
        if not distance >= 0.0 or not sequence > sensed.sequence:
            return False
        sensed.distance, sensed.sequence, sensed.arrived = distance, sequence, now
        return True

    def _tell(self, now: float) -> None:
        """Hand on what was heard about the surroundings, with its age."""
        if self._surroundings is None:
            return
        # While nobody says which feet are on the ground, both are taken to be: what a robot that
        # stands is told to do must not depend on a second process being there.
        stale = self._balance.expired(now)
        self._surroundings.stand_on(*((True, True) if stale else self._contacts))
        for frame, sensed in self._ranges.items():
            self._surroundings.see(frame, sensed.distance, now - sensed.arrived)

    def hear_chunk(
        self,
        names: Sequence[str],
        times: np.ndarray,
        positions: np.ndarray | None,
        velocities: np.ndarray | None,
        stamp: int,
        age: float,
        now: float,
    ) -> list[Violation]:
        """A chunk as it came.

        Args:
            names: (k) of joints.
            times: (h,) s since the observation.
            positions: (h, k) rad; None if the points differ in length.
            velocities: (h, k) rad/s or None.
            stamp: ns, of the observation on the ROS clock; also the chunks' order.
            age: s since then, on the ROS clock.
            now: s, steady.

        Returns:
            Why it is not tracked. Empty also where it was dropped because motion is not allowed,
            or because it answers an observation from before this RUNNING: that is no fault.
        """
        if not self._listens(now) or stamp < self.gate.running_since:
            return []
        joints, found = joint_indices(names, self._index)
        if not found and positions is None:
            found = [violation(ViolationKind.WRONG_SHAPE, 'points', 0, len(joints))]
        if found:
            self.core.refuse(found)
        else:
            measured = self.measured.position if self.measured.fresh(now) else None
            found = self.core.accept(
                Chunk(joints, times, positions, now - age, velocities, stamp), now, measured
            )
        if found:
            self._note_rejected(found)
        else:
            self.chunks_accepted += 1
            self._last_rejection = ''
        return found

    def refuse_chunk(self, why: Violation, now: float) -> list[Violation]:
        """A chunk that the boundary did not even read; returns as `hear_chunk` does."""
        if not self._listens(now):
            return []
        self.core.refuse([why])
        self._note_rejected([why])
        return [why]

    def _listens(self, now: float) -> bool:
        """Whether chunks are listened to now; begins the motion if they are."""
        if not self.gate.allowed or self.gate.silent(now):
            return False
        if not self._moving:
            self._begin(now)
        return True

    def _note_rejected(self, found: Sequence[Violation]) -> None:
        self.chunks_rejected += 1
        self._pending.extend(found)
        self._last_rejection = f'chunk rejected: {found[0]}'

    # --- the tick --------------------------------------------------------------------------

    def tick(self, now: float) -> Report:
        """Decide and compute; `now` in s, steady."""
        self.ticks += 1
        dt = 0.0 if self._last_tick is None else now - self._last_tick
        self._last_tick = now
        silent = self.gate.silent(now)
        if self.gate.allowed and not silent and not self._moving:
            self._begin(now)
        if not self._moving:
            return self._gated(now, silent)
        stop = None
        if silent:
            stop = violation(
                ViolationKind.SUPERVISOR_SILENT, '', self.gate.age(now), self.gate.timeout
            )
        elif not self.measured.fresh(now):
            stop = violation(
                ViolationKind.STATE_STALE,
                'joint_states',
                self.measured.age(now),
                self.measured.timeout,
            )
        self._tell(now)
        output = self.core.tick(
            now,
            dt,
            self.measured.ahead(now, self._ahead),
            self.measured.velocity,
            self.gate.order.speed_scale,
            None if self._imu.expired(now) else self._rotation,
            stop,
        )
        if silent and not (np.abs(output.velocity) > REST_SPEED).any():
            self._moving = False
        reason = output.reason
        if output.state is not FilterState.TRACKING and stop is None and self._last_rejection:
            reason = self._last_rejection
        self.interventions += output.changed
        self.counts.update(output.counts)
        return self._report(output, output.state, reason, output.violations, output.level, now)

    def _begin(self, now: float) -> None:
        """RUNNING begins: from what the servos track now, else from where the joints are."""
        source = self._start(now)
        if source is None:
            return
        self.core.reset(source.position, source.velocity, self.gate.order.speed_scale)
        self._moving = True

    def _start(self, now: float) -> JointReadings | None:
        """What to start from: the driver's reference, else the measured joints, else nothing."""
        for source in (self.reference, self.measured):
            if source.fresh(now):
                return source
        return None

    def _gated(self, now: float, silent: bool) -> Report:
        if silent:
            reason = 'supervisor silent'
        elif not self.gate.allowed:
            reason = self.gate.why_not
        else:
            reason = 'no joint positions to start from'
        source = None if self.gate.missed else self._start(now)
        command = None
        if source is not None:
            self.core.reset(source.position)
            command = self.core.resting(None if self._imu.expired(now) else self._rotation)
        return self._report(command, FilterState.GATED, reason, (), Level.SAFE, now)

    def _report(
        self,
        command: Output | None,
        state: FilterState,
        reason: str,
        violations: Sequence[Violation],
        level: Level,
        now: float,
    ) -> Report:
        for item in self._pending:
            self.counts[item.kind] += 1
            level = max(level, LEVELS[item.kind])
        violations = (*self._pending, *violations)
        self._pending.clear()
        return Report(command, state, reason, self._level.update(level, now), violations)
