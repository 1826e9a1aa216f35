# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Per-joint bounds on the next command, exact and always satisfiable together.

The state is what was last *sent*: position p and velocity v of each joint. A command for a period T
is a velocity u, and the position that leaves is p + u·T. A state is *reachable* when

    lower ≤ p ≤ upper,   |v| ≤ v_max,   v²/2a ≤ distance to the limit that v points at.

From every reachable state the full brake (v lowered towards zero by a·T per period) keeps all three
for any sequence of periods (proof in `braking`), so it is always an answer. The bounds are built
around it:

    hard, never broken: |u − v| ≤ a·T; |u| ≤ v_max; the next state is reachable.
    yielding, in this order, and never beyond the full brake:
        1. braking with lag: T' = (1 + lag)·T, d = distance − ½·a·T'², u ≤ −aT' + √((aT')² + 2ad)
        2. speed scale:      |u| ≤ scale · v_max
        3. torque:           the command moves no further from the measured position than the
                             servo's gains turn into the effort limit. It never drags the command:
                             a push on the robot must not move what it is told to hold.

A yielding bound that asks for more than the full brake gets the full brake, so the interval
[low, high] always contains it and is never empty. The hard bounds follow from the yielding ones
(each yielding bound is at least as tight) or from the full brake where those give way.

A state outside the position limits (a robot that starts there) may stay or come back, never go
further out.
"""

from __future__ import annotations

import numpy as np

from vla_safety.braking import stopping_speed
from vla_safety.kernel import joints

ACCELERATION, SPEED, BRAKING, TORQUE = range(4)
"""Rows of `BoxLimits.highs` and `.lows`: which bound is which."""


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

        A gap longer than `max_period` is not leapt over: nothing was sent meanwhile, so the servos
        have been coming to rest at the last position. The velocity to continue from falls by a per
        second of the excess, and the motion goes on from there. Over the whole gap the velocity
        has then changed by no more than a·dt.
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
