# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Per-joint bounds on the next command, exact and always satisfiable together.

The state is the last command *sent*: position p and velocity v of each joint. A command for a
period T is a velocity u; its position is p + u·T. A state is *reachable* when

    lower ≤ p ≤ upper,   |v| ≤ v_max,   v²/2a ≤ distance to the limit that v points at.

From every reachable state the full brake (v lowered towards zero by a·T per period) keeps all three
for any sequence of periods (proof: `stopping_speed`), so it is always an answer. The bounds are
built around it:

    hard, never broken: |u − v| ≤ a·T; |u| ≤ v_max; the next state is reachable.
    yielding, in this order, and never beyond the full brake:
        1. braking with lag: T' = (1 + lag)·T, d = distance − ½·a·T'², u ≤ −aT' + √((aT')² + 2ad)
        2. speed scale:      |u| ≤ scale · v_max
        3. torque:           the command moves no further from the measured position than the
                             servo's gains turn into the effort limit. It never drags the command:
                             a push on the robot must not move a position that is held.

A yielding bound stricter than the full brake is replaced by it, so the interval [low, high] always
contains the brake and is never empty. The hard bounds follow from the yielding ones (each is at
least as tight) or from the full brake where those yield.

A robot that starts outside the position limits may stay or come back, never go further out.
"""

import numpy as np

from vla_safety.kernel import joints
from vla_safety.violations import CHANGE, TickLog, ViolationKind

ACCELERATION, SPEED, BRAKING, TORQUE = range(4)
"""Rows of `BoxLimits.highs` and `.lows`: which bound is which."""

ROW_KINDS = (
    ViolationKind.ACCELERATION,
    ViolationKind.SPEED_SCALE,
    ViolationKind.BRAKING,
    ViolationKind.TORQUE,
)


def stopping_speed(
    distance: np.ndarray, rate: np.ndarray, period: float | np.ndarray
) -> np.ndarray:
    """Greatest speed for the coming period from which `rate` still stops within `distance`.

    With v the speed held for one period T and then lowered at the rate a, the way is
    v·T + v²/2a; setting it equal to the distance d and solving for v gives

        v = −aT + √((aT)² + 2ad)

    For any later sequence of periods h₁, h₂, … the sampled brake vᵢ = max(0, vᵢ₋₁ − a·hᵢ) covers
    Σ hᵢ·vᵢ ≤ v²/2a (a right Riemann sum of a falling function), so the bound holds under any
    timer jitter, not only at the period that it was computed with.

    Args:
        distance: (n,) rad, ≥ 0 (negative counts as 0).
        rate: (n,) rad/s², > 0.
        period: s, ≥ 0; one for all or (n,).

    Returns:
        (n,) rad/s, ≥ 0, and ≤ distance / period.
    """
    at = rate * period
    speed = np.maximum(distance, 0.0)
    speed *= rate
    speed += speed
    speed += at * at
    np.sqrt(speed, speed)
    speed -= at
    return speed


class BoxLimits:
    """The bounds, and the state that they are relative to.

    Args:
        lower, upper: (n,) rad, soft margin already taken off.
        velocity: (n,) rad/s, > 0.
        acceleration: (n,) rad/s², > 0.
        lag: periods of delay that braking before a position limit allows for, ≥ 0.
        max_period: s; a longer gap between two commands counts as this much motion.

    Attributes:
        limits: (4, n) lower, upper, velocity and acceleration, also by their names.
        state: (2, n) position and velocity of the last command sent, also by their names.
        bounds: (3, n) rad/s, after `bound`, also by their names: low and high of the next velocity,
            and the full brake's; low ≤ brake ≤ high.
        highs, lows: (4, n) rad/s, after `bound`: each bound by itself, before yielding.
        top_speed: (n,) rad/s, after `bound`: the velocity limits times the speed scale.
        gripping: (n,) joints whose torque bound is the force of a grip: counted, not a change.
    """

    def __init__(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        velocity: np.ndarray,
        acceleration: np.ndarray,
        *,
        lag: float,
        max_period: float,
    ) -> None:
        self.limits = np.array((lower, upper, velocity, acceleration), dtype=float)
        self.lower, self.upper, self.max_velocity, self.max_acceleration = self.limits
        self.lag = float(lag)
        self.max_period = float(max_period)
        n = len(self.lower)
        if not (
            np.isfinite(self.limits).all()
            and (self.lower < self.upper).all()
            and (self.max_velocity > 0).all()
            and (self.max_acceleration > 0).all()
        ):
            raise ValueError('limits must be finite, lower < upper, velocity and acceleration > 0')
        self.state = np.zeros((2, n))
        self.position, self.velocity = self.state
        self.bounds = np.zeros((3, n))
        self.low, self.high, self.brake = self.bounds
        self.highs, self.lows = np.zeros((4, n)), np.zeros((4, n))
        self.top_speed = self.highs[SPEED]
        self.gripping = np.zeros(n, dtype=bool)
        self._acceleration = np.zeros(n)
        self._unbounded = np.array((np.full(n, -np.inf), np.full(n, np.inf)))

    def reset(self, position: np.ndarray, velocity: np.ndarray | None = None) -> None:
        """Start from what the servos track now.

        The velocity is lowered to where the state is reachable; the position is taken as it is,
        because moving it would be a jump.
        """
        self.position[:] = position
        if velocity is None:
            self.velocity[:] = 0.0
            return
        up = stopping_speed(self.upper - self.position, self.max_acceleration, 0.0)
        down = stopping_speed(self.position - self.lower, self.max_acceleration, 0.0)
        np.clip(velocity, -self.max_velocity, self.max_velocity, out=self.velocity)
        np.clip(self.velocity, -down, up, out=self.velocity)

    def elapse(self, dt: float) -> float:
        """Account for `dt` seconds since the last command; return the period to command for.

        During a gap longer than `max_period` nothing was sent and the servos came to rest at the
        last position. The velocity to continue from falls by a per second of the excess, so that
        over the whole gap it changes by no more than a·dt.
        """
        period = min(dt, self.max_period)
        excess = dt - period
        if excess > 0.0:
            lost = self.max_acceleration * excess
            self.velocity -= np.clip(self.velocity, -lost, lost)
        return period

    def bound(self, period: float, scale: float, window: np.ndarray | None = None) -> None:
        """Compute low, high and brake for the coming `period` (s).

        Args:
            scale: 0..1 on the velocity limits.
            window: (2, n) rad, where the servo's effort limit lets the command go; None leaves the
                torque bound out.
        """
        joints.bound(
            self.limits,
            self.state,
            self._unbounded if window is None else window,
            self.highs,
            self.lows,
            self.bounds,
            period,
            scale,
            self.lag,
        )

    def commit(
        self, velocity: np.ndarray, period: float, acceleration: np.ndarray | None = None
    ) -> None:
        """Take `velocity` (n,) as sent for `period` s; the position follows.

        Args:
            acceleration: (n,) rad/s², written: the change of velocity by the period.
        """
        joints.commit(
            velocity,
            self.state,
            self._acceleration if acceleration is None else acceleration,
            period,
        )

    def report(
        self, shaped: np.ndarray, sent: np.ndarray, period: float, tracking: bool, log: TickLog
    ) -> None:
        """Log which bound changed each joint of `shaped` (n,) to `sent`."""
        for joint in joints.differing(sent, shaped, CHANGE):
            up = shaped[joint] > sent[joint]
            bounds = (self.highs if up else self.lows)[:, joint]
            row = int(bounds.argmin() if up else bounds.argmax())
            if row == TORQUE and self.gripping[joint]:
                log.count(ViolationKind.GRIP_FORCE, 1)
                continue
            value = float(shaped[joint])
            if row != ACCELERATION:
                log.change(ROW_KINDS[row], joint, value, float(bounds[row]))
            elif tracking:  # Else this is what coming to rest along the limits looks like.
                wanted = (value - float(self.velocity[joint])) / period
                log.change(ROW_KINDS[row], joint, wanted, float(self.max_acceleration[joint]))
