# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Independent oracle for the box limits; it shares no code with the filter, so that a mistake there
is not repeated here."""

from collections import Counter

import numpy as np

TOLERANCE = 1e-7
"""rad, rad/s, relative to 1: rounding over 10⁶ ticks stays far below."""


class BoxOracle:
    """Checks each command against the one before.

    Args:
        robot: with limits, soft_margin, servo.
        velocity_fraction, acceleration_fraction, effort_fraction: share of the limits in use.
        max_period: s, the most motion that one command may hold.
        rng: draws the periods of the trial brakes.
        brake_every: commands between two trials of a whole brake, with random periods.
    """

    def __init__(
        self,
        robot: object,
        velocity_fraction: float,
        acceleration_fraction: float,
        effort_fraction: float,
        max_period: float,
        rng: np.random.Generator,
        brake_every: int = 50,
    ) -> None:
        self.lower = robot.limits.lower + robot.soft_margin
        self.upper = robot.limits.upper - robot.soft_margin
        self.velocity = robot.limits.velocity * velocity_fraction
        self.acceleration = robot.limits.acceleration * acceleration_fraction
        self.effort = robot.limits.effort * effort_fraction
        self.kp, self.kv = robot.servo.kp, robot.servo.kv
        self.max_period = max_period
        self.found: Counter[str] = Counter()
        self.first = ''
        self.commands = 0
        self.brakes = 0
        self._rng = rng
        self._brake_every = brake_every

    def reset(self, position: np.ndarray) -> None:
        """The state before the first command: at rest."""
        self.p = np.array(position, dtype=float)
        self.v = np.zeros(len(self.p))
        self.g = np.zeros(len(self.p))

    def check(
        self,
        dt: float,
        position: np.ndarray,
        velocity: np.ndarray,
        effort: np.ndarray,
        measured_position: np.ndarray | None = None,
        measured_velocity: np.ndarray | None = None,
    ) -> None:
        """Check one command, sent `dt` s after the one before; note what it breaks.

        measured_*: given where the torque bound has to hold.
        """
        self.commands += 1
        p0, v0 = self.p, self.v
        for name, values in (('position', position), ('velocity', velocity), ('effort', effort)):
            if not np.isfinite(values).all():
                self._note(f'{name}_not_finite', values)
                return
        self._expect('position_limit', position <= self.upper + TOLERANCE, position)
        self._expect('position_limit', position >= self.lower - TOLERANCE, position)
        step = position - p0
        self._expect(
            'velocity_limit', np.abs(step) <= self.velocity * dt + TOLERANCE * min(dt, 1.0), step
        )
        self._expect('leap', np.abs(step) <= self.velocity * min(dt, self.max_period) + 1e-12, step)
        self._expect('velocity_limit', np.abs(velocity) <= self.velocity + TOLERANCE, velocity)
        self._expect(
            'consistency', np.abs(step - velocity * min(dt, self.max_period)) <= 1e-9, step
        )
        self._expect(
            'acceleration_limit',
            np.abs(velocity - v0) <= self.acceleration * dt + TOLERANCE,
            velocity - v0,
        )
        ahead = np.where(velocity > 0, self.upper - position, position - self.lower)
        self._expect(
            'braking_distance', velocity**2 <= 2 * self.acceleration * (ahead + TOLERANCE), velocity
        )
        if measured_position is not None and measured_velocity is not None:
            self._check_torque(dt, velocity, position, measured_position, measured_velocity)
        if self.commands % self._brake_every == 0:
            self._play_brake(position, velocity)
        self.p, self.v, self.g = position.copy(), velocity.copy(), effort.copy()

    def _check_torque(
        self, dt: float, v1: np.ndarray, p1: np.ndarray, q: np.ndarray, qd: np.ndarray
    ) -> None:
        """Beyond the effort limit a command only goes outwards while it is braking fully."""
        torque = self.kp * (p1 - q) + self.kv * (self.v - qd) + self.g
        slowest = np.maximum(np.abs(self.v) - self.acceleration * dt, 0.0)
        outwards = (np.abs(torque) > self.effort + 1e-6) & (np.sign(torque) == np.sign(v1))
        self._expect('torque_limit', ~outwards | (np.abs(v1) <= slowest + TOLERANCE), torque)

    def _play_brake(self, position: np.ndarray, velocity: np.ndarray) -> None:
        """From here, lower every speed by a·h per period h, however long each h is."""
        self.brakes += 1
        p, v = position.copy(), velocity.copy()
        for _ in range(2000):
            if not v.any():
                break
            h = float(np.exp(self._rng.uniform(np.log(1e-3), np.log(0.2))))
            v = np.sign(v) * np.maximum(np.abs(v) - self.acceleration * h, 0.0)
            p = p + v * h
        self._expect('brake_ends', v == 0.0, v)
        self._expect('brake_inside', (p <= self.upper + TOLERANCE), p)
        self._expect('brake_inside', (p >= self.lower - TOLERANCE), p)

    def _expect(self, what: str, holds: np.ndarray, values: np.ndarray) -> None:
        if not holds.all():
            joint = int(np.flatnonzero(~holds)[0])
            self._note(what, f'joint {joint}: {values[joint]!r}')

    def _note(self, what: str, detail: object) -> None:
        self.found[what] += 1
        if not self.first:
            self.first = f'command {self.commands}: {what}: {detail}'
