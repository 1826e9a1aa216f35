# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The position reference of the servos under the behaviours hold, stand, damp, off and track.

Switching the behaviour never makes the reference jump: hold and stand first brake along the
acceleration limits of the joints, and after damp or off (where the reference does not steer the
servos) it begins at the measured position. Grippers keep their reference in all of it: only a
command, or `release` in robot.yaml, opens one.

The straight line to the standing pose may lead through a table. The paths in robot.yaml reach poses
from the standing one without touching it; `stand` goes to the nearest pose of such a path and back
along it.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Self

import numpy as np

from vla_common.states import Behaviour
from vla_hardware.grip import Grips
from vla_robot import RobotModel

# Peak of the derivative of the minimum-jerk profile 10 s^3 - 15 s^4 + 6 s^5 (Flash and Hogan 1985).
PEAK_SPEED = 1.875
PEAK_ACCELERATION = 10.0 / math.sqrt(3.0)
NEAR = 0.1  # rad: a waypoint this close need not be visited


def clamp(values: np.ndarray, lower: np.ndarray, upper: np.ndarray, out: np.ndarray) -> None:
    """np.clip without its overhead, which is most of its time for 32 numbers."""
    np.maximum(values, lower, out=out)
    np.minimum(out, upper, out=out)


class ReferenceMotion:
    """The position reference of n joints and its motion under the behaviour in force.

    lower, upper (rad), velocity (rad/s), acceleration (rad/s²): limits, each (n,); standing: the
    pose that `stand` ends in; duration: s that `stand` takes, longer where a joint would exceed a
    limit; paths: (k, n) rad each, poses on a collision-free path from the standing one; place: maps
    joint positions to the vector whose distance measures how near two poses are (`HandPositions`);
    grips: the joints of grippers.
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
        grips: Grips | None = None,
    ) -> None:
        n = len(lower)
        self.grips = grips or Grips({}, n)
        self._begun = False
        self._lower, self._upper = lower, upper
        self._velocity_limit, self._acceleration = velocity, acceleration
        self.standing_pose = np.clip(standing, lower, upper)  # rad
        self._duration = duration
        self.position = self.standing_pose.copy()
        self.velocity = np.zeros(n)
        self.behaviour = Behaviour.HOLD
        self._start = np.zeros(n)
        self._path = np.zeros(n)
        self._phase = math.inf  # s into the stand motion; inf while still braking towards its start
        self._stretched = duration
        self._paths = [np.clip(path, lower, upper) for path in paths]
        self._place = place
        self._places = [[place(pose) for pose in path] for path in self._paths]
        self._standing_place = place(self.standing_pose)
        self._ahead: list[np.ndarray] = []  # poses that stand has yet to reach
        self._pace = 0.0  # s per rad of the joint that moves most
        self._next = np.zeros(n)

    @classmethod
    def of(cls, robot: RobotModel) -> Self:
        """With the limits, poses and paths of a robot."""
        limits = robot.limits
        return cls(
            limits.lower,
            limits.upper,
            limits.velocity,
            limits.acceleration,
            robot.poses['standing'],
            robot.stops.safe_stop_duration,
            [robot.waypoints(pose) for pose in robot.paths],
            HandPositions(robot),
            Grips(robot.grippers, robot.n),
        )

    @property
    def resting(self) -> bool:
        """Whether the reference is at rest: hold has braked, or stand has arrived."""
        if self.behaviour is Behaviour.STAND:
            ends = self._phase is not math.inf and self._phase >= self._stretched
            return ends and not self._ahead
        return not self.velocity.any()

    def restart(self, measured: np.ndarray, regrip: bool = False) -> None:
        """Set the reference to the measured position (n,), at rest.

        A gripper's reference is inside of what it holds: after the first time it stays, unless
        `regrip`.
        """
        kept = self.position[self.grips.kept]
        np.clip(measured, self._lower, self._upper, out=self.position)
        self.velocity[:] = 0.0
        if self._begun and not regrip:
            self.position[self.grips.kept] = kept
        self._begun = True

    def switch(self, behaviour: Behaviour, measured: np.ndarray) -> None:
        """Change the behaviour. measured: (n,) rad."""
        if behaviour is self.behaviour:
            return
        if self.behaviour.passive and not behaviour.passive:
            self.restart(measured)
        self.behaviour = behaviour
        self._phase = math.inf

    def tick(self, dt: float, measured: np.ndarray) -> None:
        """Advance the reference by dt s; track is advanced by `follow`. measured: (n,) rad."""
        if self.behaviour.passive:
            # The safety filter continues from the published reference: it is where the joints are.
            self.restart(measured)
            self._release(dt)
        elif self.behaviour is Behaviour.HOLD:
            self._brake(dt)
        elif self.behaviour is Behaviour.STAND:
            self._stand(dt)

    def follow(self, position: np.ndarray, velocity: np.ndarray, dt: float) -> int:
        """Track a commanded position (n,) and velocity (n,) inside the URDF limits.

        The result lies inside the position limits and no further from the last reference than
        the velocity limit times dt. Returns the number of clamped joints. One tick behind is not
        counted: commands come at half the driver's rate, so one that moves at the velocity limit
        takes two ticks to follow.
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

    def _release(self, dt: float) -> None:
        """Open the grippers that robot.yaml opens in an e-stop, at their speed limit."""
        at = self.grips.opening
        if len(at):
            step = self._velocity_limit[at] * dt
            way = self.grips.opened[at] - self.position[at]
            self.position[at] += np.clip(way, -step, step)

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
            self._ahead = self._path_back()
            length = self._length()
            self._pace = self._duration / length if length > 0.0 else 0.0
            self._begin_segment()
        self._phase += dt
        s = min(self._phase / self._stretched, 1.0)
        if s >= 1.0:
            self.position[:] = self._start + self._path
            self.velocity[:] = 0.0
            if self._ahead:
                self._begin_segment()
            return
        shape = s * s * s * (10.0 + s * (-15.0 + 6.0 * s))
        slope = 30.0 * s * s * (1.0 - s) ** 2 / self._stretched
        self.position[:] = self._start + shape * self._path
        self.velocity[:] = slope * self._path

    def _begin_segment(self) -> None:
        goal = self._ahead.pop(0)
        self._start[:] = self.position
        np.subtract(goal, self.position, out=self._path)
        self._path[self.grips.joints] = 0.0
        distance = np.abs(self._path)
        # Within the velocity limit, and within the acceleration limit.
        speed = PEAK_SPEED * distance / self._velocity_limit
        acceleration = np.sqrt(PEAK_ACCELERATION * distance / self._acceleration)
        needed = max(float(speed.max(initial=0.0)), float(acceleration.max(initial=0.0)))
        self._stretched = max(self._pace * float(distance.max(initial=0.0)), needed, 1e-3)
        self._phase = 0.0

    def _path_back(self) -> list[np.ndarray]:
        """Poses from here to the standing one: to the nearest of all paths, and back along it."""
        here = self._place(self.position)
        best, way = float(np.linalg.norm(here - self._standing_place)), [self.standing_pose]
        for path, places in zip(self._paths, self._places, strict=True):
            for i in range(1, len(path)):
                distance = float(np.linalg.norm(here - places[i]))
                if distance < best:
                    best, way = distance, [*path[i:0:-1], self.standing_pose]
        body = self.grips.others
        if len(way) > 1 and np.abs(self.position - way[0])[body].max() <= NEAR:
            del way[0]
        return way

    def _length(self) -> float:
        """rad along `_ahead`, of the joint that moves most in each segment."""
        poses = [self.position, *self._ahead]
        body = self.grips.others
        return sum(float(np.abs(b - a)[body].max()) for a, b in pairwise(poses))


class HandPositions:
    """Positions of the hands in the base's frame, flat; the joints of a robot without hands."""

    def __init__(self, robot: RobotModel) -> None:
        self._kinematics = robot.kinematics()
        self._hands = robot.hands

    def __call__(self, position: np.ndarray) -> np.ndarray:
        """position: (n,) rad."""
        if not self._hands:
            return position.copy()
        self._kinematics.update(position)
        return np.concatenate([self._kinematics.frame(hand)[1] for hand in self._hands])
