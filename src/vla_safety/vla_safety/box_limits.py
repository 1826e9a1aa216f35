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
        position, velocity: (n,) of the last command sent.
        low, high: (n,) rad/s, bounds on the next velocity, after `bound`.
        brake: (n,) rad/s, the full brake's velocity, after `bound`; low ≤ brake ≤ high.
        lows, highs: (4, n) rad/s, each bound by itself, before yielding.
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
        self.lower = np.array(lower, dtype=float)
        self.upper = np.array(upper, dtype=float)
        self.max_velocity = np.array(velocity, dtype=float)
        self.max_acceleration = np.array(acceleration, dtype=float)
        self.lag = float(lag)
        self.max_period = float(max_period)
        n = len(self.lower)
        if not (
            np.isfinite(self.lower).all()
            and np.isfinite(self.upper).all()
            and (self.lower < self.upper).all()
            and (self.max_velocity > 0).all()
            and (self.max_acceleration > 0).all()
            and np.isfinite(self.max_velocity).all()
            and np.isfinite(self.max_acceleration).all()
        ):
            raise ValueError('limits must be finite, lower < upper, velocity and acceleration > 0')
        self.position = np.zeros(n)
        self.velocity = np.zeros(n)
        self.low = np.zeros(n)
        self.high = np.zeros(n)
        self.brake = np.zeros(n)
        self.lows = np.zeros((4, n))
        self.highs = np.zeros((4, n))
        # Position limits and torque window together, so that one call bounds the speed by both.
        self._ceilings = np.vstack([self.upper, np.full(n, np.inf)])
        self._floors = np.vstack([self.lower, np.full(n, -np.inf)])
        self._distances = np.zeros((4, n))
        self._periods = np.zeros((4, 1))
        self._scratch = np.zeros(n)

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
            np.multiply(self.max_acceleration, excess, out=self._scratch)
            self.velocity -= np.clip(self.velocity, -self._scratch, self._scratch)
        return period

    def bound(
        self,
        period: float,
        scale: float,
        reach_low: np.ndarray | None = None,
        reach_high: np.ndarray | None = None,
    ) -> None:
        """Compute low, high and brake for the coming `period` (s).

        Args:
            scale: 0..1 on the velocity limits.
            reach_low, reach_high: (n,) rad, where the servo's effort limit lets the command go;
                None leaves the torque bound out.
        """
        a, v = self.max_acceleration, self.velocity
        change = np.multiply(a, period, out=self._scratch)
        np.add(v, change, out=self.highs[ACCELERATION])
        np.subtract(v, change, out=self.lows[ACCELERATION])
        np.maximum(v, -change, out=self.brake)
        np.minimum(self.brake, change, out=self.brake)
        np.subtract(v, self.brake, out=self.brake)

        np.multiply(self.max_velocity, scale, out=self.highs[SPEED])
        np.negative(self.highs[SPEED], out=self.lows[SPEED])

        self._ceilings[1] = np.inf if reach_high is None else reach_high
        self._floors[1] = -np.inf if reach_low is None else reach_low
        np.subtract(self._ceilings, self.position, out=self._distances[:2])
        np.subtract(self.position, self._floors, out=self._distances[2:])
        lagged = (1.0 + self.lag) * period
        np.multiply(a, 0.5 * lagged * lagged, out=self._scratch)
        self._distances[::2] -= self._scratch
        self._periods[::2] = lagged
        self._periods[1::2] = period
        speeds = stopping_speed(self._distances, a, self._periods)
        self.highs[BRAKING:] = speeds[:2]
        np.negative(speeds[2:], out=self.lows[BRAKING:])

        np.minimum.reduce(self.highs, axis=0, out=self.high)
        np.maximum.reduce(self.lows, axis=0, out=self.low)
        np.maximum(self.high, self.brake, out=self.high)
        np.minimum(self.low, self.brake, out=self.low)

    def commit(self, velocity: np.ndarray, period: float) -> None:
        """Take `velocity` (n,) as sent for `period` s; the position follows."""
        self.velocity[:] = velocity
        np.multiply(self.velocity, period, out=self._scratch)
        self.position += self._scratch
