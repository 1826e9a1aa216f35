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
        # The four bounds that are speeds within a distance, one behind the other: braking up and
        # down, torque up and down. Flat: a call on 128 numbers costs what one on 32 does.
        self._speeds = np.zeros(4 * n)
        self._up, self._down, self._reach_up, self._reach_down = self._speeds.reshape(4, n)
        self._doubled = np.tile(2.0 * self.max_acceleration, 4)
        self._twice = np.tile(self.max_acceleration, 2)
        self._per_period = np.zeros(4 * n)
        self._squared = np.zeros(4 * n)
        self._highest, self._lowest = np.zeros(n), np.zeros(n)
        self.top_speed = np.zeros(n)
        self._scratch = np.zeros(n)

    @property
    def highs(self) -> np.ndarray:
        """(4, n) rad/s, each upper bound by itself, before yielding; see the rows' names."""
        return np.array((self._highest, self.top_speed, self._up, self._reach_up))

    @property
    def lows(self) -> np.ndarray:
        """(4, n) rad/s, each lower bound by itself."""
        return np.array((self._lowest, -self.top_speed, -self._down, -self._reach_down))

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
        v, p, n = self.velocity, self.position, len(self.position)
        at = self._per_period
        np.multiply(self._twice, (1.0 + self.lag) * period, at[: 2 * n])
        np.multiply(self._twice, period, at[2 * n :])
        change = at[2 * n : 3 * n]
        highest = np.add(v, change, self._highest)
        lowest = np.subtract(v, change, self._lowest)
        # The full brake: towards zero, by no more than the change.
        brake = np.minimum(highest, 0.0, out=self.brake)
        np.maximum(brake, lowest, out=brake)
        top = np.multiply(self.max_velocity, scale, self.top_speed)

        np.subtract(self.upper, p, self._up)
        np.subtract(p, self.lower, self._down)
        if reach_high is None or reach_low is None:
            self._reach_up.fill(np.inf)
            self._reach_down.fill(np.inf)
        else:
            np.subtract(reach_high, p, self._reach_up)
            np.subtract(p, reach_low, self._reach_down)
        bounding_speeds(self._speeds, self._doubled, at, self._squared)

        high = np.minimum(highest, top, out=self.high)
        np.minimum(high, self._up, out=high)
        np.minimum(high, self._reach_up, out=high)
        np.maximum(high, brake, out=high)
        low = np.minimum(self._down, self._reach_down, out=self.low)
        np.minimum(low, top, out=low)
        np.negative(low, low)
        np.maximum(low, lowest, out=low)
        np.minimum(low, brake, out=low)

    def commit(self, velocity: np.ndarray, period: float) -> None:
        """Take `velocity` (n,) as sent for `period` s; the position follows."""
        self.velocity[:] = velocity
        np.multiply(self.velocity, period, self._scratch)
        self.position += self._scratch


def bounding_speeds(
    distances: np.ndarray, doubled: np.ndarray, at: np.ndarray, squared: np.ndarray
) -> None:
    """Turn distances into the speeds that they allow, in place.

    The first half is braking with lag, the second without (the torque window). See
    `stopping_speed` for the formula. With lag the distance is shortened by ½aT², and aT² under the
    root cancels it:

        −aT + √((aT)² + 2a·max(0, d − ½aT²)) = −aT + √max(2ad, (aT)²)

    Args:
        distances: (4n,) rad; overwritten by rad/s.
        doubled: (4n,) 2a.
        at: (4n,) a·T of each.
        squared: (4n,) scratch.
    """
    half = len(distances) // 2
    np.multiply(at, at, squared)
    distances *= doubled
    distances[half:] += squared[half:]
    np.maximum(distances, squared, out=distances)
    np.sqrt(distances, distances)
    distances -= at
