# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the servos are asked to follow: hold, stand, damp, off, track.

One `ReferenceMotion` owns the position reference of all joints. Switching the behaviour never
makes it jump: hold and stand first brake the motion that is there along the joints' acceleration
limits, and whatever follows damp or off (where the reference does not steer the servos) begins
at the measured position.

The straight way to the standing pose may lead through a table. robot.yaml's paths say how poses
are reached from the standing one without touching it; `stand` goes to the nearest pose of such a
path and back along it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from vla_common.states import Behaviour

# Peak of the derivative of the minimum-jerk profile 10 s^3 - 15 s^4 + 6 s^5 (Flash and Hogan 1985).
PEAK_SPEED = 1.875
PEAK_ACCELERATION = 10.0 / math.sqrt(3.0)
NEAR = 0.1  # rad: a pose on the way that need not be visited
LIMP = (Behaviour.DAMP, Behaviour.OFF)


def clamp(values: np.ndarray, lower: np.ndarray, upper: np.ndarray, out: np.ndarray) -> None:
    """np.clip, of which most of the time for 32 numbers is spent on the way there."""
    np.maximum(values, lower, out=out)
    np.minimum(out, upper, out=out)


class ReferenceMotion:
    """The position reference of n joints and its motion under the behaviour in force.

    lower, upper (rad), velocity (rad/s), acceleration (rad/s²): limits, each (n,); standing: the
    pose that `stand` ends in; duration: seconds that `stand` takes, if no joint has to move
    faster than its limit for it (then it takes longer); paths: (k, n) rad each, poses on a free way
    that begins at the standing one; place: maps joint positions to what tells how near two poses
    are (the hands' positions, flat).
    """

    def __init__(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        velocity: np.ndarray,
        acceleration: np.ndarray,
        standing: np.ndarray,
        duration: float,
        paths: Sequence[np.ndarray] = (),
        place: Callable[[np.ndarray], np.ndarray] = np.copy,
    ) -> None:
        n = len(lower)
        self._lower, self._upper = lower, upper
        self._velocity_limit, self._acceleration = velocity, acceleration
        self._standing = np.clip(standing, lower, upper)
        self._duration = duration
        self.position = self._standing.copy()
        self.velocity = np.zeros(n)
        self.behaviour = Behaviour.HOLD
        self._start = np.zeros(n)
        self._path = np.zeros(n)
        self._phase = math.inf  # s into the stand motion; inf while still braking towards its start
        self._stretched = duration
        self._paths = [np.clip(path, lower, upper) for path in paths]
        self._place = place
        self._places = [[place(pose) for pose in path] for path in self._paths]
        self._standing_place = place(self._standing)
        self._legs: list[np.ndarray] = []  # what is still ahead of stand: poses
        self._pace = 0.0  # s per rad of the joint that moves most
        self._next = np.zeros(n)

    @property
    def standing_pose(self) -> np.ndarray:
        """The pose that `stand` ends in: (n,) rad, inside the limits."""
        return self._standing

    @property
    def resting(self) -> bool:
        """Whether the reference moves no more: hold has braked, or stand has arrived."""
        if self.behaviour is Behaviour.STAND:
            ends = self._phase is not math.inf and self._phase >= self._stretched
            return ends and not self._legs
        return not self.velocity.any()

    def restart(self, measured: np.ndarray) -> None:
        """Puts the reference at the measured position (n,), at rest."""
        np.clip(measured, self._lower, self._upper, out=self.position)
        self.velocity[:] = 0.0

    def switch(self, behaviour: Behaviour, measured: np.ndarray) -> None:
        """Takes up another behaviour; `measured` (n,) is where the joints are now."""
        if behaviour is self.behaviour:
            return
        if self.behaviour in LIMP and behaviour not in LIMP:
            self.restart(measured)
        self.behaviour = behaviour
        self._phase = math.inf

    def tick(self, dt: float, measured: np.ndarray) -> None:
        """Moves the reference on by dt seconds (track is moved by `follow` instead).

        measured: (n,) rad.
        """
        if self.behaviour in LIMP:
            # Published for whoever continues from it (the safety filter): where the joints are.
            self.restart(measured)
        elif self.behaviour is Behaviour.HOLD:
            self._brake(dt)
        elif self.behaviour is Behaviour.STAND:
            self._stand(dt)

    def follow(self, position: np.ndarray, velocity: np.ndarray, dt: float) -> int:
        """Tracks a commanded position (n,) and velocity (n,) as far as the URDF limits allow.

        The result lies inside the position limits and no further from the last reference than
        the velocity limit times dt. Returns how many joints were held back. Being one further
        tick behind is not held back: commands come at half the driver's rate, and one that moves
        at the velocity limit takes two ticks to follow.
        """
        step = self._velocity_limit * dt
        clamp(position, self._lower, self._upper, self._next)
        held = np.abs(self._next - position) > 1e-9
        clamp(self._next, self.position - step, self.position + step, self._next)
        held |= np.abs(self._next - position) > step * 1.001 + 1e-9
        clamp(velocity, -self._velocity_limit, self._velocity_limit, self.velocity)
        count = int(np.count_nonzero(held))
        if count:
            self.velocity[held] = (self._next[held] - self.position[held]) / dt
        self.position[:] = self._next
        return count

    def _brake(self, dt: float) -> None:
        if not self.velocity.any():
            return
        drop = self._acceleration * dt
        speed = np.maximum(np.abs(self.velocity) - drop, 0.0)
        self.velocity[:] = np.copysign(speed, self.velocity)
        self.velocity[speed == 0.0] = 0.0
        self.position += self.velocity * dt
        outside = (self.position < self._lower) | (self.position > self._upper)
        if outside.any():
            np.clip(self.position, self._lower, self._upper, out=self.position)
            self.velocity[outside] = 0.0

    def _stand(self, dt: float) -> None:
        if self._phase is math.inf:
            if self.velocity.any():
                self._brake(dt)
                return
            self._legs = self._way_back()
            length = self._length()
            self._pace = self._duration / length if length > 0.0 else 0.0
            self._begin_leg()
        self._phase += dt
        s = min(self._phase / self._stretched, 1.0)
        if s >= 1.0:
            self.position[:] = self._start + self._path
            self.velocity[:] = 0.0
            if self._legs:
                self._begin_leg()
            return
        shape = s * s * s * (10.0 + s * (-15.0 + 6.0 * s))
        slope = 30.0 * s * s * (1.0 - s) ** 2 / self._stretched
        self.position[:] = self._start + shape * self._path
        self.velocity[:] = slope * self._path

    def _begin_leg(self) -> None:
        goal = self._legs.pop(0)
        self._start[:] = self.position
        np.subtract(goal, self.position, out=self._path)
        distance = np.abs(self._path)
        # Not beyond the speed limit, and not beyond the acceleration limit either: the peak of the
        # second derivative of the profile is 10/sqrt(3).
        speed = PEAK_SPEED * distance / self._velocity_limit
        acceleration = np.sqrt(PEAK_ACCELERATION * distance / self._acceleration)
        needed = max(float(speed.max(initial=0.0)), float(acceleration.max(initial=0.0)))
        self._stretched = max(self._pace * float(distance.max(initial=0.0)), needed, 1e-3)
        self._phase = 0.0

    def _way_back(self) -> list[np.ndarray]:
        """The poses from here to the standing one: the nearest of all paths, and back along it."""
        here = self._place(self.position)
        best, way = float(np.linalg.norm(here - self._standing_place)), [self._standing]
        for path, places in zip(self._paths, self._places, strict=True):
            for i in range(1, len(path)):
                distance = float(np.linalg.norm(here - places[i]))
                if distance < best:
                    best, way = distance, [*path[i:0:-1], self._standing]
        if len(way) > 1 and np.abs(self.position - way[0]).max() <= NEAR:
            del way[0]
        return way

    def _length(self) -> float:
        """rad along the way, of the joint that moves most in each part."""
        poses = [self.position, *self._legs]
        return sum(float(np.abs(b - a).max()) for a, b in pairwise(poses))
