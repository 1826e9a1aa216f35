# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter under a supervisor, without ROS.

Messages come in as plain numbers with the steady time at which they arrived; `tick` returns what to
publish. The motion gate, the age of the measured state and the filter decide:

    allowed, state fresh    the filter tracks chunks
    allowed, state stale    the filter brakes, chunk dropped
    held too long           the filter drops the chunk and accepts no other until the next RUNNING
    silent supervisor       the filter brakes, chunk dropped; at rest: gated
    not allowed             gated: the command is the driver's own reference, velocity 0, so that
                            a later RUNNING begins without a jump
    RUNNING, begun before   gated, without a command: the driver follows commands now, and one at
    this filter was active  rest would halt a joint at once; without any it brakes by itself
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vla_common.parameters import Parameters
from vla_common.rotation import rotation_matrix
from vla_common.stamps import StampSequence
from vla_common.states import FilterState, Hysteresis, Level
from vla_common.watchdog import Watchdog
from vla_robot import RobotModel
from vla_safety.chunk import Chunk
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import REST_SPEED, Output, SafetyFilter
from vla_safety.grippers import GripperOrder
from vla_safety.joint_readings import JointReadings
from vla_safety.known_world import KnownWorld
from vla_safety.parameters import FilterParameters
from vla_safety.supervisor_command import MotionGate, SupervisorCommand
from vla_safety.validation import joint_indices
from vla_safety.violations import LEVELS, Violation, ViolationKind, violation


@dataclass(frozen=True)
class Timeouts:
    """s, ages above which a source is stale."""

    state: float
    supervisor: float
    reference: float
    imu: float
    balance: float


@dataclass(frozen=True)
class Report:
    """The result of one tick. `command` is None while no joint positions are known."""

    command: Output | None
    state: FilterState
    reason: str
    level: Level
    violations: tuple[Violation, ...]


class Surroundings(Protocol):
    """Coupled limits that use contacts and range sensors; see BrakingBarriers."""

    def set_contacts(self, left: bool, right: bool) -> None: ...

    def set_range(self, frame: str, distance: float, age: float) -> None: ...

    def set_known(self, world: KnownWorld, now: float) -> None: ...


@dataclass
class SensedRange:
    """Newest reading of one range sensor: m, arrival (s, steady), order of its stamps."""

    distance: float = 0.0
    order: StampSequence = field(default_factory=StampSequence)
    arrived: float = -np.inf


class FilterRuntime:
    """See the module. `create_runtime` makes one from the node's parameters.

    Args:
        core: the filter.
        level_hold: s that the reported level stays after its cause is gone.
        surroundings: the coupled limits that use contacts, range sensors and obstacles, if any.
        world: obstacles and carried objects, which its owner updates; None: none is ever known.
    """

    def __init__(
        self,
        core: SafetyFilter,
        timeouts: Timeouts,
        level_hold: float,
        surroundings: Surroundings | None = None,
        world: KnownWorld | None = None,
    ) -> None:
        self.core = core
        self.world = world
        self._surroundings = surroundings
        self._balance = Watchdog('balance', timeouts.balance)
        self._contacts = (True, True)
        self._ranges: dict[str, SensedRange] = {}
        self._ahead = np.zeros(len(core.names))
        limits = core.box.lower, core.box.upper
        self._index: Mapping[str, int] = {name: i for i, name in enumerate(core.names)}
        self.gate = MotionGate(timeouts.supervisor)
        self.measured = JointReadings('joint_states', *limits, timeouts.state)
        self.reference = JointReadings('joint_reference', *limits, timeouts.reference)
        self._imu = Watchdog('imu', timeouts.imu)
        self._rotation = np.eye(3)
        self._level = Hysteresis(level_hold)
        self._moving = False
        self._pending: list[Violation] = []
        self._last_tick: float | None = None
        self._last_rejection = ''
        self._ended = ''
        self.ticks = 0
        self.chunks_accepted = 0
        self.chunks_rejected = 0
        self.chunks_dropped = 0  # motion was not allowed, or begun after their observation
        self.ranges_rejected = 0
        self.orientations_rejected = 0
        self.interventions = 0
        self.counts: Counter[ViolationKind] = Counter()

    def restart(self) -> None:
        """Activation: nothing is tracked or allowed until RUNNING begins again."""
        self._moving = False
        self._last_tick = None
        self._pending.clear()
        self.core.flush('just activated')
        self.gate.close()

    @property
    def replayed(self) -> dict[str, int]:
        """Messages of each source that were not new, or of the future: dropped."""
        return {
            'joint_states': self.measured.replayed,
            'joint_reference': self.reference.replayed,
            'imu': self._imu.replayed,
            'balance': self._balance.replayed,
            'supervisor': self.gate.replayed,
        }

    @property
    def motion_ended(self) -> str:
        """Why no chunk is followed until the next RUNNING; empty while chunks are."""
        return self._ended if self._moving else ''

    # --- inputs ----------------------------------------------------------------------------

    def on_supervisor(self, command: SupervisorCommand, now: float) -> None:
        """A change of mode or epoch, or the end of a silence, flushes; RUNNING starts again from
        what the servos track by then."""
        if self.gate.update(command, now):
            self._moving = False
            self._last_rejection = ''

    def on_imu(
        self, orientation: Sequence[float], sequence: int, now: float, wall_ns: int | None = None
    ) -> None:
        """Base orientation (w, x, y, z); rejected where it is not a unit quaternion."""
        wxyz = np.array(orientation)
        if not 0.98 <= wxyz @ wxyz <= 1.02:
            self.orientations_rejected += 1
        elif self._imu.beat(now, sequence, wall_ns):
            self._rotation = rotation_matrix(wxyz)

    def on_contacts(self, left: bool, right: bool, sequence: int, now: float) -> None:
        """The feet that carry the robot, from the balance monitor."""
        if self._balance.beat(now, sequence):
            self._contacts = (left, right)

    def on_range(
        self, frame: str, distance: float, sequence: int, now: float, wall_ns: int | None = None
    ) -> bool:
        """Range measured at `frame`, m; infinite: nothing in sight. Returns False where it is
        rejected: NaN, negative, or not new."""
        sensed = self._ranges.setdefault(frame, SensedRange())
        if not distance >= 0.0 or sensed.order.reject(sequence, wall_ns):
            self.ranges_rejected += 1
            return False
        sensed.distance, sensed.arrived = distance, now
        return True

    def _update_surroundings(self, now: float) -> None:
        """Pass on contacts and ranges, with their age."""
        if self._surroundings is None:
            return
        # Without a balance monitor both feet count as on the ground: the command of a standing
        # robot must not depend on a second process.
        stale = self._balance.expired(now)
        self._surroundings.set_contacts(*((True, True) if stale else self._contacts))
        for frame, sensed in self._ranges.items():
            self._surroundings.set_range(frame, sensed.distance, now - sensed.arrived)
        if self.world is not None:
            self._surroundings.set_known(self.world, now)

    def on_chunk(
        self,
        names: Sequence[str],
        times: np.ndarray,
        positions: np.ndarray | None,
        velocities: np.ndarray | None,
        stamp: int,
        age: float,
        now: float,
    ) -> list[Violation]:
        """A chunk as received.

        Args:
            names: (k) of joints.
            times: (h,) s since the observation.
            positions: (h, k) rad; None if the points differ in length.
            velocities: (h, k) rad/s or None.
            stamp: ns, of the observation on the ROS clock; also the chunks' order.
            age: s since then, on the ROS clock.
            now: s, steady.

        Returns:
            Why it was rejected. Empty also where it was dropped because motion is not allowed, or
            because it answers an observation from before this RUNNING: that is no fault.
        """
        if not self._accepts_chunks(now) or stamp < self.gate.running_since:
            self.chunks_dropped += 1
            return []
        joints, found = joint_indices(names, self._index)
        if not found and positions is None:
            found = [violation(ViolationKind.WRONG_SHAPE, 'points', 0, len(joints))]
        if found:
            self.core.reject(found)
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

    def reject_chunk(self, why: Violation, now: float) -> list[Violation]:
        """A chunk that could not be read; returns as `on_chunk` does."""
        if not self._accepts_chunks(now):
            self.chunks_dropped += 1
            return []
        self.core.reject([why])
        self._note_rejected([why])
        return [why]

    def on_grippers(
        self, order: GripperOrder, stamp: int, age: float, now: float
    ) -> list[Violation]:
        """A command to grippers; arguments and result as those of `on_chunk`."""
        if not self._accepts_chunks(now) or stamp < self.gate.running_since:
            self.core.grippers.dropped += 1
            return []
        found = self.core.grippers.admit(order, stamp, age)
        self._pending.extend(found)
        return found

    def _accepts_chunks(self, now: float) -> bool:
        """Whether motion is allowed now; begins it if so."""
        if not self.gate.allowed or self.gate.silent(now):
            return False
        if not self._moving:
            self._begin(now)
        # Not by the next chunk: the policy would press against the same limit again.
        return not self._ended

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
        loads = None if self.world is None else self.world.loads(dt)
        if loads is not None:
            self.core.set_payload(loads)
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
        self._update_surroundings(now)
        output = self.core.tick(
            now,
            dt,
            self.measured.extrapolate(now, self._ahead),
            self.measured.velocity,
            self.gate.command.speed_scale,
            None if self._imu.expired(now) else self._rotation,
            stop,
        )
        if silent and not (np.abs(output.velocity) > REST_SPEED).any():
            self._moving = False
        hold = self.core.hold
        if hold.expired and not self._ended:
            self._ended = f'held for {hold.held_for:.1f} s by {hold.limited_by}'
            self.core.flush(self._ended)
        reason = output.reason
        if output.state is not FilterState.TRACKING and stop is None and self._last_rejection:
            reason = self._last_rejection
        self.interventions += output.changed
        self.counts.update(output.counts)
        return self._report(output, output.state, reason, output.violations, output.level, now)

    def _begin(self, now: float) -> None:
        """Start from what the servos track now, else from where the joints are."""
        source = self._start(now)
        if source is None:
            return
        self.core.reset(source.position, source.velocity, self.gate.command.speed_scale)
        self.core.hold.reset()
        self._ended = ''
        self._moving = True

    def _start(self, now: float) -> JointReadings | None:
        """The driver's reference, else the measured joints, else None."""
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


def create_runtime(robot: RobotModel, p: Parameters, clock: Callable[[], float]) -> FilterRuntime:
    """The filter of a robot.

    Args:
        p: of the node (parameters.yaml).
        clock: s, of the coupled limits' time budget.

    Raises:
        ConfigError: parameters contradict each other or the robot.
    """
    parameters = FilterParameters.from_node(p)
    barriers = braking_barriers(robot, parameters, clock)
    core = SafetyFilter(robot, parameters, (barriers,))
    world = KnownWorld.of(robot, parameters.obstacles)
    return FilterRuntime(core, p.timeouts.to(Timeouts), p.level_hold, barriers, world)
