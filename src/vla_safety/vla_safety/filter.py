# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The four steps in their order: valid?, box limits, coupled limits, speed scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from vla_common.states import FilterState, Level
from vla_safety.box_limits import BRAKING, SPEED, TORQUE, BoxLimits
from vla_safety.chunk import Chunk, ChunkTracker
from vla_safety.coupled import CoupledLimits, Infeasible, MotionState
from vla_safety.effort_limiter import EffortLimiter
from vla_safety.jerk_limiter import JerkLimiter
from vla_safety.kernel import joints
from vla_safety.parameters import FilterParameters
from vla_safety.speed import STAGE_SCALE, SpeedScale
from vla_safety.validation import ChunkValidator
from vla_safety.violations import CONTENT_KINDS, LEVELS, Violation, ViolationKind, violation

REST_SPEED = 1e-9
"""rad/s; a command slower than this is at rest (rounding is all that is left)."""

CHANGE = 1e-9
"""rad/s; a smaller difference between wanted and sent is rounding, not a change."""

JERKED_SHARE = 0.75
"""Share of the acceleration limit that closing a gap counts on where jerk is limited."""

REPORTED = 8
"""Violations listed per tick; all are counted."""


class GravitySource(Protocol):
    """The part of vla_robot's Kinematics that the filter uses."""

    def gravity_torque(self, q: np.ndarray, base_rotation: np.ndarray | None) -> np.ndarray:
        """(n,) Nm that hold the upper body; legs zero. Without a rotation: upright."""
        ...


class Output(NamedTuple):
    """One command and what was done to get it.

    Attributes:
        position, velocity, effort: (n,) rad, rad/s, Nm feed-forward.
        state: what the filter is doing.
        reason: why it is not TRACKING; empty otherwise.
        violations: of this tick, the worst first, at most REPORTED.
        counts: every violation of this tick by kind.
        changed: whether the command differs from what was wanted.
        chunk_age: s since the tracked chunk's observation; −1 without one.
        horizon_left: s of chunk time still ahead.
        speed_scale: in force.
        chunk_sequence: of the tracked chunk; 0 without one.
        playback_time: s into the tracked chunk; −1 without one.
        playback_rate: s of chunk time per s; 0 without a chunk.
    """

    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    state: FilterState
    reason: str
    violations: tuple[Violation, ...]
    counts: dict[ViolationKind, int]
    changed: bool
    chunk_age: float
    horizon_left: float
    speed_scale: float
    chunk_sequence: int = 0
    playback_time: float = -1.0
    playback_rate: float = 0.0

    @property
    def level(self) -> Level:
        """The worst level of this tick."""
        return max((LEVELS[kind] for kind in self.counts), default=Level.SAFE)


class SafetyFilter:
    """Chunks in, commands out. Time comes with every call; nothing here waits, sleeps or asks.

    Args:
        robot: a vla_robot RobotModel (joint_names, limits, soft_margin, servo, kinematics()).
        parameters: settings.
        coupled: limits that tie joints together, asked in this order; each gets what the one before
            left.
    """

    def __init__(
        self,
        robot: object,
        parameters: FilterParameters,
        coupled: Sequence[CoupledLimits] = (),
    ) -> None:
        p, limits = parameters, robot.limits
        self._parameters = p
        self.names: tuple[str, ...] = tuple(robot.joint_names)
        n = len(self.names)
        max_velocity = limits.velocity * p.velocity_fraction
        self._max_acceleration = limits.acceleration * p.acceleration_fraction
        self.box = BoxLimits(
            limits.lower + robot.soft_margin,
            limits.upper - robot.soft_margin,
            max_velocity,
            self._max_acceleration,
            lag=p.braking_lag,
            max_period=p.max_period,
        )
        self._reach = EffortLimiter(
            robot.servo.kp, robot.servo.kv, limits.effort * p.effort_fraction
        )
        self._jerk: JerkLimiter | None = None
        # What closing a gap to the target counts on: with a jerk limit the deceleration builds up
        # over a/j, and needs room to correct itself.
        self._closing = np.array((self._max_acceleration, np.zeros(n)))
        if limits.jerk is not None:
            self._jerk = JerkLimiter(limits.jerk, self._max_acceleration)
            self._closing[0] = JERKED_SHARE * self._max_acceleration
            self._closing[1] = self._max_acceleration / limits.jerk
        self._coupled = tuple(coupled)
        self._gravity: GravitySource = robot.kinematics()
        self._validator = ChunkValidator(
            self.names, limits.lower, limits.upper, max_velocity, p.rules
        )
        self._tracker = ChunkTracker(n, p.interpolation, p.cross_fade)
        self._scale = SpeedScale(STAGE_SCALE[p.stage], p.speed_scale_rate)
        self._idle_reason = 'no chunk received'
        self._infeasible = ''
        self._carry = 0.0
        self._acceleration = np.zeros(n)
        # Position and velocity, a row each.
        self._measured, self._target = np.zeros((2, n)), np.zeros((2, n))
        self._wish = np.zeros((2, n))
        self._asked, self._wanted = self._wish
        self._inside = np.zeros(n)
        self._beyond = False
        self._sent, self._restricted = np.zeros(n), np.zeros(n)
        self._effort = np.zeros(n)
        self._motion = MotionState(
            self.box.position,
            self.box.velocity,
            *self._measured,
            self._effort,
            self.box.brake,
            0.0,
        )
        self._last: Output | None = None

    # --- what is tracked -------------------------------------------------------------------

    def reset(
        self, position: np.ndarray, velocity: np.ndarray | None = None, speed_scale: float = 1.0
    ) -> None:
        """Start from what the servos track now; forget every chunk.

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
        self._last = None
        self.flush('no chunk since the start')

    def forget_order(self) -> None:
        """Forget the stamps of earlier chunks, for a new episode with a new clock."""
        self._validator.forget()

    def flush(self, reason: str) -> None:
        """Drop what is tracked; the motion brakes to rest."""
        self._tracker.clear()
        self._idle_reason = reason

    def accept(
        self, chunk: Chunk, now: float, measured_position: np.ndarray | None
    ) -> list[Violation]:
        """Check `chunk` and, if nothing is wrong, track it from now on.

        Args:
            now: s, on the clock of `chunk.stamp`.
            measured_position: (n,) rad; None if not known, then nothing is accepted.

        Returns:
            Why it was refused; empty if accepted. A chunk refused for its content also drops the
            chunk before: its sender cannot be trusted.
        """
        found = self._validator.admit(chunk, now, measured_position)
        if not found:
            end = float(chunk.times[-1])
            start = ChunkTracker.start_time(chunk, now, self._scale.value)
            if not start < end:
                found = [violation(ViolationKind.STALE, 'horizon', start, end)]
        if found:
            self.refuse(found)
        else:
            self._tracker.take(chunk, now, self._scale.value)
        return found

    def refuse(self, found: Sequence[Violation]) -> None:
        """React to a refused chunk, also to one that the boundary refused before it got here."""
        if any(item.kind in CONTENT_KINDS for item in found):
            self.flush(f'chunk rejected: {found[0]}')

    def resting(self, base_rotation: np.ndarray | None = None) -> Output:
        """The command that stays where `reset` put the filter: for a robot that others control.

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
            violations=(),
            counts={},
            changed=False,
            chunk_age=-1.0,
            horizon_left=0.0,
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
        counts: dict[ViolationKind, int] = {}
        listed: list[Violation] = []

        measured = self._measured
        measured[0], measured[1] = measured_position, measured_velocity
        if not is_finite(measured.ravel()):
            stop = stop or violation(ViolationKind.STATE_STALE, 'measured state')
            measured[:] = self.box.state
        if stop is not None:
            self.flush(str(stop))
            _report(stop, counts, listed)
        if dt > self.box.max_period:
            _report(violation(ViolationKind.LATE_TICK, '', dt, self.box.max_period), counts, listed)

        # Before `elapse`: the servos hold the velocity that was last sent.
        self._reach.update(*measured, self.box.velocity, self._effort)
        period = self.box.elapse(dt)
        scale = self._scale.advance(speed_scale, dt)
        self.box.bound(period, scale, self._reach.window if stop is None else None)
        tracking = self._want(now, period, dt, scale)
        if stop is not None:
            self._wanted[:] = self.box.brake
        shaped = self._wanted
        if self._jerk is not None and stop is None:
            shaped = self._jerk.shape(self._wanted, self.box.velocity, self._acceleration, period)
        sent = self._sent
        joints.confine(shaped, self.box.bounds, sent)
        changed = self._explain(tracking, shaped, sent, period, counts, listed)

        self._infeasible = ''
        if self._coupled and stop is None:
            restricted = self._restrict(sent, period, counts, listed)
            changed = changed or restricted.tobytes() != sent.tobytes()
            sent = restricted

        self.box.commit(sent, period, self._acceleration)
        self._feed_forward(base_rotation)
        state, reason = self._judge(tracking)
        chunk = self._tracker.chunk
        self._last = Output(
            position=self.box.position.copy(),
            velocity=self.box.velocity.copy(),
            effort=self._effort.copy(),
            state=state,
            reason=reason,
            violations=tuple(listed[:REPORTED]),
            counts=counts,
            changed=changed,
            chunk_age=-1.0 if chunk is None else now - chunk.stamp,
            horizon_left=self._tracker.horizon_left,
            speed_scale=scale,
            chunk_sequence=0 if chunk is None else chunk.sequence or 0,
            playback_time=self._tracker.playback_time,
            playback_rate=0.0 if chunk is None else scale,
        )
        return self._last

    def _want(self, now: float, period: float, dt: float, scale: float) -> bool:
        """Write the wanted velocity; return whether a chunk is tracked.

        Towards a target moving with v_t, from e behind it: v_t + sign(e)·(the speed from which the
        gap can be closed without overshoot). A target beyond a position limit counts as resting
        at the limit. Joints that no chunk speaks of come to rest.
        """
        tracker = self._tracker
        if tracker.chunk is not None:
            tracker.advance(dt, scale)
            if tracker.ended:
                self.flush('chunk horizon ended')
            elif not now - tracker.chunk.stamp <= self._parameters.max_playback_age:
                self.flush('chunk too old')
        self._beyond = False
        if tracker.chunk is None:
            self._wish.fill(0.0)
            return False
        tracker.sample(scale, self._target)
        box = self.box
        outside = joints.approach(
            self._target,
            tracker.covered,
            box.limits,
            box.state,
            self._closing,
            self._wish,
            self._inside,
            period,
            scale,
        )
        if outside < 0:
            self._wish.fill(0.0)
            self.flush('chunk sample not finite')
            return False
        self._beyond = outside > 0
        return True

    def _explain(
        self,
        tracking: bool,
        shaped: np.ndarray,
        sent: np.ndarray,
        period: float,
        counts: dict[ViolationKind, int],
        listed: list[Violation],
    ) -> bool:
        """Name what changed the wanted velocity; return whether anything but jerk did.

        Jerk is counted, but it rounds the corners of nearly every motion: no intervention.
        """
        box = self.box
        changed = False

        def name(kind: ViolationKind, joint: int, value: float, limit: float) -> None:
            nonlocal changed
            changed = True
            if len(listed) < REPORTED:
                listed.append(violation(kind, self.names[joint], value, limit))
            counts[kind] = counts.get(kind, 0) + 1

        if shaped is not self._wanted:
            jerked = len(joints.differing(self._wanted, shaped, CHANGE))
            if jerked:
                counts[ViolationKind.JERK] = jerked
        if tracking and self._beyond:
            for joint in self._tracker.covered.nonzero()[0].tolist():
                asked, inside = float(self._target[0, joint]), float(self._inside[joint])
                if asked != inside:
                    name(ViolationKind.POSITION, joint, asked, inside)
        if tracking:
            for joint in joints.differing(self._asked, self._wanted, CHANGE):
                asked, hard = abs(float(self._asked[joint])), float(box.max_velocity[joint])
                if asked > hard:
                    name(ViolationKind.VELOCITY, joint, asked, hard)
                else:
                    name(ViolationKind.SPEED_SCALE, joint, asked, float(box.top_speed[joint]))
        for joint in joints.differing(sent, shaped, CHANGE):
            up = shaped[joint] > sent[joint]
            bounds = (box.highs if up else box.lows)[:, joint]
            row = int(bounds.argmin() if up else bounds.argmax())
            value, limit = float(shaped[joint]), float(bounds[row])
            if row == TORQUE:
                name(ViolationKind.TORQUE, joint, value, limit)
            elif row == BRAKING:
                name(ViolationKind.BRAKING, joint, value, limit)
            elif row == SPEED:
                name(ViolationKind.SPEED_SCALE, joint, value, limit)
            elif tracking:  # Else this is what coming to rest along the limits looks like.
                asked = (value - float(box.velocity[joint])) / period
                name(ViolationKind.ACCELERATION, joint, asked, float(self._max_acceleration[joint]))
        if len(listed) > 1:
            listed.sort(key=lambda item: -item.level)
        return changed

    def _restrict(
        self,
        wanted: np.ndarray,
        period: float,
        counts: dict[ViolationKind, int],
        listed: list[Violation],
    ) -> np.ndarray:
        """Ask the coupled limits; whatever is wrong with their answer, the full brake leaves."""
        box, state, inside = self.box, self._motion, self._restricted
        state.period = period
        velocity, why = wanted, ''
        for limits in self._coupled:
            try:
                answer = np.array(limits.restrict(velocity, box.low, box.high, state), dtype=float)
            except Infeasible as error:
                why = str(error)
                break
            # Rounding is taken back; more than that is no answer.
            if (
                answer.shape != wanted.shape
                or not is_finite(answer)
                or not joints.confine(answer, box.bounds, inside) <= CHANGE
            ):
                why = f'{type(limits).__name__} left the box'
                break
            velocity = inside
            for item in limits.findings:
                _report(item, counts, listed)
        else:
            return velocity
        self._infeasible = why or 'no common velocity'
        _report(violation(ViolationKind.INFEASIBLE, why), counts, listed)
        return box.brake.copy()

    def _feed_forward(self, rotation: np.ndarray | None) -> None:
        gravity = self._gravity.gravity_torque(self.box.position, rotation)
        # Without a believable gravity (a joint far outside what the model knows) there is none: the
        # servos then sag a little, which is better than a wrong push.
        self._effort[:] = gravity if is_finite(gravity) else 0.0

    def _judge(self, tracking: bool) -> tuple[FilterState, str]:
        if self._infeasible:
            return FilterState.INFEASIBLE, f'infeasible: {self._infeasible}'
        if tracking:
            return FilterState.TRACKING, ''
        if (np.abs(self.box.velocity) > REST_SPEED).any():
            return FilterState.BRAKING, self._idle_reason
        return FilterState.NO_CHUNK, self._idle_reason


def _report(item: Violation, counts: dict[ViolationKind, int], listed: list[Violation]) -> None:
    counts[item.kind] = counts.get(item.kind, 0) + 1
    listed.append(item)


def is_finite(values: np.ndarray) -> bool:
    """Whether a float array holds neither NaN nor infinity (nor 10¹⁵⁴, which no joint reaches).

    A sum of squares is NaN or infinite as soon as one element is; a tenth of the time that
    np.isfinite(values).all() takes for 32 joints.
    """
    return math.isfinite(values.dot(values))
