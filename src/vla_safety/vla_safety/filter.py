# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The safety filter: action chunks in, joint commands out.

A chunk is validated when it arrives. Each tick then takes these steps:

1. Speed scale: stage times supervisor, ramped. It sets the playback rate and the velocity limits.
2. Box limits of each joint, around the full brake.
3. The target: the chunk at the playback time, as a velocity that leads to it; jerk-limited.
4. The nearest velocity inside the box.
5. Coupled limits: the nearest velocity inside the box that they prove. The full brake if none.
   In the mode PATH, first a slower one on the chunk's path, for which playback waits.

The scale comes first, not last: a velocity that was scaled after step 5 would be another one than
the velocity whose braking path was proven, and could break the acceleration limit.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from vla_common.states import FilterState, Level
from vla_safety.box_limits import BoxLimits
from vla_safety.chunk import Chunk, ChunkTracker
from vla_safety.coupled.limits import CoupledLimits, CoupledMode, MotionState
from vla_safety.grippers import GripperControl
from vla_safety.kernel import joints
from vla_safety.limiters import STAGE_SCALE, EffortLimiter, JerkLimiter, SpeedScale
from vla_safety.parameters import FilterParameters
from vla_safety.restriction import Restriction
from vla_safety.target import TargetFollower
from vla_safety.validation import ChunkValidator
from vla_safety.violations import (
    CHANGE,
    CONTENT_KINDS,
    LEVELS,
    REPORTED,
    TickLog,
    Violation,
    ViolationKind,
    violation,
)

REST_SPEED = 1e-9
"""rad/s; a command slower than this is at rest (the rest is rounding)."""

JERKED_SHARE = 0.75
"""Share of the acceleration limit that closing a gap counts on where jerk is limited."""


class GravitySource(Protocol):
    """The part of vla_robot's Kinematics that the filter uses."""

    def gravity_torque(self, q: np.ndarray, base_rotation: np.ndarray | None) -> np.ndarray:
        """(n,) Nm that hold the upper body; legs zero. Without a rotation: upright."""
        ...

    def set_payload(self, loads: Iterable[tuple[str, float, np.ndarray]]) -> None:
        """Point masses that are held too: frame, kg, (3,) m in the frame."""
        ...


class Output(NamedTuple):
    """One command, and how it came about.

    Attributes:
        position, velocity, effort: (n,) rad, rad/s, Nm feed-forward.
        state: what the filter is doing.
        reason: why it is not TRACKING; empty otherwise.
        counts: every violation of this tick by kind.
        speed_scale: in force.
        violations: of this tick, the worst first, at most REPORTED.
        changed: whether the command differs from the target's velocity.
        chunk_age: s since the tracked chunk's observation; −1 without one.
        horizon_left: s of chunk time still ahead.
        chunk_sequence: of the tracked chunk; 0 without one.
        playback_time: s into the tracked chunk; −1 without one.
        playback_rate: s of chunk time per s; 0 without a chunk.
    """

    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    state: FilterState
    reason: str
    counts: dict[ViolationKind, int]
    speed_scale: float
    violations: tuple[Violation, ...] = ()
    changed: bool = False
    chunk_age: float = -1.0
    horizon_left: float = 0.0
    chunk_sequence: int = 0
    playback_time: float = -1.0
    playback_rate: float = 0.0

    @property
    def level(self) -> Level:
        """The worst level of this tick."""
        return max((LEVELS[kind] for kind in self.counts), default=Level.SAFE)


class SafetyFilter:
    """See the module. Time comes with every call; nothing here waits or sleeps.

    Args:
        robot: a vla_robot RobotModel (joint_names, limits, soft_margin, servo, kinematics()).
        parameters: settings.
        coupled: limits that tie joints together, in this order; each gets the answer of the one
            before.
    """

    def __init__(
        self, robot: object, parameters: FilterParameters, coupled: Sequence[CoupledLimits] = ()
    ) -> None:
        p, limits = parameters, robot.limits
        self._parameters = p
        self.names: tuple[str, ...] = tuple(robot.joint_names)
        n = len(self.names)
        max_velocity = limits.velocity * p.velocity_fraction
        max_acceleration = limits.acceleration * p.acceleration_fraction
        self.box = BoxLimits(
            limits.lower + robot.soft_margin,
            limits.upper - robot.soft_margin,
            max_velocity,
            max_acceleration,
            lag=p.braking_lag,
            max_period=p.max_period,
        )
        self._effort_limiter = EffortLimiter(
            robot.servo.kp, robot.servo.kv, limits.effort * p.effort_fraction
        )
        self._jerk: JerkLimiter | None = None
        # What closing a gap to the target counts on: with a jerk limit the deceleration builds up
        # over a/j, and needs room to correct itself.
        closing = np.array((max_acceleration, np.zeros(n)))
        if limits.jerk is not None:
            self._jerk = JerkLimiter(limits.jerk, max_acceleration)
            closing = np.array((JERKED_SHARE * max_acceleration, max_acceleration / limits.jerk))
        self._coupled = tuple(coupled)
        self._restriction = Restriction(n, p.coupled.mode is CoupledMode.PATH, p.hold_limit)
        self.hold = self._restriction.hold
        self._gravity: GravitySource = robot.kinematics()
        self._validator = ChunkValidator(
            self.names, limits.lower, limits.upper, max_velocity, p.rules
        )
        self._tracker = ChunkTracker(n, p.interpolation, p.cross_fade)
        self._target = TargetFollower(self._tracker, self.box, closing)
        self.grippers = GripperControl(
            getattr(robot, 'grippers', {}), self.box, self._effort_limiter, closing, p
        )
        self.box.gripping = self.grippers.gripping
        self._scale = SpeedScale(STAGE_SCALE[p.stage], p.speed_scale_rate)
        self._idle_reason = 'no chunk received'
        self._carry = 0.0
        self._acceleration = np.zeros(n)
        self._measured = np.zeros((2, n))  # position and velocity
        self._sent = np.zeros(n)
        self._effort = np.zeros(n)
        self._motion = MotionState(
            self.box.position, self.box.velocity, *self._measured, self._effort, self.box.brake, 0.0
        )
        self._last: Output | None = None

    # --- chunks ----------------------------------------------------------------------------

    def reset(
        self, position: np.ndarray, velocity: np.ndarray | None = None, speed_scale: float = 1.0
    ) -> None:
        """Start from what the servos track now, without a chunk.

        Raises:
            ValueError: a value is not finite, or the array has another length than the robot.
        """
        position = np.asarray(position, dtype=float)
        if position.shape != self.box.position.shape or not np.isfinite(position).all():
            raise ValueError('reset needs a finite position for every joint')
        if velocity is not None and not np.isfinite(velocity).all():
            raise ValueError('reset needs a finite velocity for every joint')
        self.box.reset(position, velocity)
        self._acceleration[:] = 0.0
        self._scale.reset(speed_scale)
        self._carry = 0.0
        self._restriction.reset()
        self.grippers.reset()
        self._last = None
        self.flush('no chunk since the start')

    def forget_order(self) -> None:
        """Forget the stamps of earlier chunks, for a new episode with a new clock."""
        self._validator.forget()

    def set_payload(self, loads: Iterable[tuple[str, float, np.ndarray]]) -> None:
        """What the hands hold, in place of what they held: frame, kg, (3,) m in the frame.

        It counts in the feed-forward effort and in the effort limit.
        """
        self._gravity.set_payload(loads)

    def flush(self, reason: str) -> None:
        """Drop the chunk; the motion brakes to rest."""
        self._tracker.clear()
        self._idle_reason = reason

    def accept(
        self, chunk: Chunk, now: float, measured_position: np.ndarray | None
    ) -> list[Violation]:
        """Validate `chunk` and, if it is valid, track it from now on.

        Args:
            now: s, on the clock of `chunk.stamp`.
            measured_position: (n,) rad; None if not known, then nothing is accepted.

        Returns:
            Why it was rejected; empty if accepted. A chunk rejected for its content also drops the
            chunk before: its sender cannot be trusted.
        """
        found = self._validator.admit(chunk, now, measured_position)
        if not found:
            end = float(chunk.times[-1])
            scale, pace = self._scale.value, self._restriction.recent_pace
            start = ChunkTracker.start_time(chunk, now, scale * pace)
            if not start < end:
                found = [violation(ViolationKind.STALE, 'horizon', start, end)]
        if found:
            self.reject(found)
        else:
            self._tracker.take(chunk, now, scale, pace)
        return found

    def reject(self, found: Sequence[Violation]) -> None:
        """React to a rejected chunk, also to one that was rejected before it got here."""
        if any(item.kind in CONTENT_KINDS for item in found):
            self.flush(f'chunk rejected: {found[0]}')

    def resting(self, base_rotation: np.ndarray | None = None) -> Output:
        """The command that stays where `reset` put the filter.

        Args:
            base_rotation: (3, 3) base in the world; None means upright.
        """
        self._feed_forward(base_rotation)
        return Output(
            position=self.box.position.copy(),
            velocity=np.zeros_like(self.box.position),
            effort=self._effort.copy(),
            state=FilterState.GATED,
            reason='',
            counts={},
            speed_scale=self._scale.value,
        )

    # --- the tick --------------------------------------------------------------------------

    def tick(
        self,
        now: float,
        dt: float,
        measured_position: np.ndarray,
        measured_velocity: np.ndarray,
        speed_scale: float = 1.0,
        base_rotation: np.ndarray | None = None,
        stop: Violation | None = None,
    ) -> Output:
        """Compute the next command.

        Args:
            now: s, the clock of the chunks' stamps.
            dt: s since the last command really left.
            measured_position, measured_velocity: (n,) rad and rad/s.
            speed_scale: the supervisor's, 0..1.
            base_rotation: (3, 3) base in the world for gravity; None means upright.
            stop: brake as hard as the box allows, for this reason, and drop the chunk.
        """
        # A clock that stood still, went back or gave NaN counts as no time.
        dt = (dt if dt > 0.0 else 0.0) + self._carry
        self._carry = 0.0
        if dt < self._parameters.min_period:
            # Too short to command motion for: it is added to the next.
            if self._last is not None:
                self._carry = dt
                return self._last
            dt = self._parameters.min_period
        elif math.isinf(dt):
            dt = self._parameters.max_period
        log = TickLog(self.names)
        measured, box, restriction = self._measured, self.box, self._restriction
        measured[0], measured[1] = measured_position, measured_velocity
        if not is_finite(measured.ravel()):
            stop = stop or violation(ViolationKind.STATE_STALE, 'measured state')
            measured[:] = box.state
        if stop is not None:
            self.flush(str(stop))
            self.grippers.clear()
            log.add(stop)
        if dt > box.max_period:
            log.add(violation(ViolationKind.LATE_TICK, '', dt, box.max_period))

        # Before `elapse`: the servos hold the velocity that was last sent.
        self._effort_limiter.update(*measured, box.velocity, self._effort)
        period = box.elapse(dt)
        scale = self._scale.advance(speed_scale, dt)
        box.bound(period, scale, self._effort_limiter.window if stop is None else None)
        tracking = self._update_target(now, period, dt, scale)
        gripping = self.grippers.steer(self._tracker.covered, self._target, period, scale)
        wanted = self._target.wanted if stop is None else box.brake
        shaped = wanted
        if self._jerk is not None and stop is None:
            shaped = self._jerk.shape(wanted, box.velocity, self._acceleration, period)
            # Counted, but no intervention: it rounds the corners of nearly every motion.
            log.count(ViolationKind.JERK, len(joints.differing(wanted, shaped, CHANGE)))
        sent = self._sent
        joints.confine(shaped, box.bounds, sent)
        if tracking:
            self._target.report(log)
        box.report(shaped, sent, period, tracking, log)
        log.sort()
        changed = log.changed

        if self._coupled and stop is None:
            self._motion.period = period
            restricted = restriction.apply(
                self._coupled, sent, box, self._motion, self._tracker, log
            )
            changed = changed or restricted.tobytes() != sent.tobytes()
            sent = restricted
            if restriction.pace < 1.0:
                self._tracker.wait((1.0 - restriction.pace) * dt * scale)
        else:
            restriction.skip(period)

        box.commit(sent, period, self._acceleration)
        self._feed_forward(base_rotation)
        state, reason = self._state(tracking or gripping)
        chunk = self._tracker.chunk
        self._last = Output(
            position=box.position.copy(),
            velocity=box.velocity.copy(),
            effort=self._effort.copy(),
            state=state,
            reason=reason,
            violations=tuple(log.listed[:REPORTED]),
            counts=log.counts,
            changed=changed,
            chunk_age=-1.0 if chunk is None else now - chunk.stamp,
            horizon_left=self._tracker.horizon_left,
            speed_scale=scale,
            chunk_sequence=0 if chunk is None else chunk.sequence or 0,
            playback_time=self._tracker.playback_time,
            playback_rate=0.0 if chunk is None else scale * restriction.pace,
        )
        return self._last

    def _update_target(self, now: float, period: float, dt: float, scale: float) -> bool:
        """Advance playback and compute the wanted velocity; return whether a chunk is tracked."""
        tracker = self._tracker
        if tracker.chunk is not None:
            tracker.advance(dt, scale)
            if tracker.ended:
                self.flush('chunk horizon ended')
            elif not now - tracker.chunk.stamp <= self._parameters.max_playback_age:
                self.flush('chunk too old')
        if not self._target.update(period, scale):
            self.flush('chunk sample not finite')
        return tracker.chunk is not None

    def _feed_forward(self, rotation: np.ndarray | None) -> None:
        gravity = self._gravity.gravity_torque(self.box.position, rotation)
        # Not finite where a joint is far outside what the model knows. The servos then sag a
        # little, which is better than a wrong push.
        self._effort[:] = gravity if is_finite(gravity) else 0.0

    def _state(self, tracking: bool) -> tuple[FilterState, str]:
        if self._restriction.infeasible:
            return FilterState.INFEASIBLE, f'infeasible: {self._restriction.infeasible}'
        if tracking:
            return FilterState.TRACKING, ''
        if (np.abs(self.box.velocity) > REST_SPEED).any():
            return FilterState.BRAKING, self._idle_reason
        return FilterState.NO_CHUNK, self._idle_reason


def is_finite(values: np.ndarray) -> bool:
    """Whether a float array holds neither NaN nor infinity (nor 10¹⁵⁴, which no joint reaches).

    A sum of squares is, as soon as one element is; it takes a tenth of the time of
    np.isfinite(values).all() for 32 joints.
    """
    return math.isfinite(values.dot(values))
