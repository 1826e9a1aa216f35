# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Goals of head and arms for a cube, without the path to them.

A goal is solved for the upright torso and cached on a grid of `GRID`; the place of the cube is
first transformed by the lean of the torso, so that a swaying robot reuses its goals.
"""

from dataclasses import dataclass

import numpy as np

from vla_models.inverse_kinematics import FINGERS, ArmSolver, pointing_at, tip_at
from vla_models.tasks import HANDS, Task, TaskKind
from vla_robot import RobotModel

GRID = 0.004  # m
ABOVE_CUBE = 0.025  # m between a cube's top and the finger tips that reach for it
REACH_COMFORT, POINT_COMFORT = 0.02, 0.05  # see ArmSolver.solve
TRANSIT = 0.10  # m above that while moving sideways
POINT_HEIGHT = 0.17  # m between a cube and the finger tips that point at it, roughly
ELBOW_OUT = 0.05  # rad of shoulder roll, at least
REACH_ERROR = 0.012  # m, largest error of a reachable place
POINT_ERROR = 0.03  # rad, likewise
LOOK_ERROR = 0.05  # rad, likewise
CONTORTED = 1.25  # rad; a goal further from ready in any joint is not feasible
CLEAR = 0.004  # m between an arm and the rest of the body on the straight line from ready
NECK = 'torso_roll_link'  # the parent of head and arms


@dataclass(frozen=True)
class Target:
    """A cube in the base frame: centre (3,) m, edge m, and whether it is in the image."""

    position: np.ndarray
    size: float
    in_view: bool = True


@dataclass(frozen=True)
class ArmGoal:
    """Angles (7,) of an arm, and higher ones (7,) while it is away from `near` (2,) m.

    error: the remaining error, m (reach) or rad (point).
    """

    joints: np.ndarray
    error: float
    transit: np.ndarray | None = None
    near: np.ndarray | None = None


class Goals:
    """Goals of one robot. Not thread-safe."""

    def __init__(self, robot: RobotModel) -> None:
        self.robot = robot
        self._kinematics = robot.kinematics()
        margin = robot.soft_margin + 0.02
        self.lower = robot.limits.lower + margin
        self.upper = robot.limits.upper - margin
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[robot.index['left_shoulder_roll']] = ELBOW_OUT
        upper[robot.index['right_shoulder_roll']] = -ELBOW_OUT
        self._solvers = {hand: ArmSolver(robot, hand, lower, upper) for hand in HANDS}
        self._ready = robot.poses['ready']
        self._head = robot.groups['head']
        self._kinematics.update(self._ready)
        self._shoulders = {
            hand: self._kinematics.frame(f'{hand}_shoulder_pitch_link')[1] for hand in HANDS
        }
        self._upright = self._kinematics.frame(NECK)
        self._known: dict[tuple, ArmGoal | tuple[np.ndarray, float]] = {}

    def upright(self, position: np.ndarray, target: Target) -> Target:
        """The cube relative to an upright torso; `position` (n,) rad is the posture."""
        self._kinematics.update(position)
        rotation, origin = self._kinematics.frame(NECK)
        straight, centre = self._upright
        place = centre + straight @ rotation.T @ (target.position - origin)
        return Target(place, target.size, target.in_view)

    def _cached(self, solve, name: str, place: np.ndarray):
        cell = tuple(np.rint(place / GRID).astype(int).tolist())
        key = (name, *cell)
        if key not in self._known:
            if len(self._known) > 4096:
                self._known.clear()
            self._known[key] = solve(name, np.array(cell) * GRID)
        return self._known[key]

    def reach(self, hand: str, target: Target) -> ArmGoal:
        """Finger tips over the cube, coming from above and behind."""
        top = target.position + np.array([0.0, 0.0, target.size / 2 + ABOVE_CUBE])
        return self._cached(self._reach, hand, top)

    def point(self, hand: str, target: Target) -> ArmGoal:
        """Fingers in line with the cube."""
        return self._cached(self._point, f'{hand} point', target.position)

    def look(self, target: Target) -> tuple[np.ndarray, float]:
        """Head angles (3,) that put the cube on the camera's axis; and the remaining angle, rad."""
        return self._cached(self._look, 'head', target.position)

    def _reach(self, hand: str, tip: np.ndarray) -> ArmGoal:
        bearing = tip[:2] - self._shoulders[hand][:2]
        bearing = bearing / np.linalg.norm(bearing)
        direction = np.array([bearing[0], bearing[1], -1.0])
        solver = self._solvers[hand]
        joints = solver.solve(self._ready, tip_at(hand, tip, direction), REACH_COMFORT)
        q = self._ready.copy()
        q[solver.joints] = joints
        self._kinematics.update(q)
        error = float(np.linalg.norm(self._kinematics.frame(f'{hand}_hand')[1] - tip))
        higher = tip + np.array([0.0, 0.0, TRANSIT])
        transit = solver.solve(self._ready, tip_at(hand, higher, direction), REACH_COMFORT)
        return ArmGoal(joints, error, transit, tip[:2])

    def _point(self, name: str, place: np.ndarray) -> ArmGoal:
        hand = name.split()[0]
        solver = self._solvers[hand]
        residual = pointing_at(hand, place, POINT_HEIGHT)
        joints = solver.solve(self._ready, residual, POINT_COMFORT)
        q = self._ready.copy()
        q[solver.joints] = joints
        self._kinematics.update(q)
        rotation, tip = self._kinematics.frame(f'{hand}_hand')
        ray = (place - tip) / np.linalg.norm(place - tip)
        return ArmGoal(joints, float(np.arccos(np.clip(ray @ rotation @ FINGERS, -1.0, 1.0))))

    def _look(self, _: str, place: np.ndarray) -> tuple[np.ndarray, float]:
        q = self._ready.copy()
        head = np.zeros(3)
        low, high = self.lower[self._head], self.upper[self._head]
        for _ in range(8):  # a fixed point: the camera moves with the head
            q[self._head] = head
            self._kinematics.update(q)
            rotation, position = self._kinematics.frame('head_camera')
            ray = place - position
            ray /= np.linalg.norm(ray)
            yaw, pitch = np.arctan2(ray[1], ray[0]), np.arctan2(-ray[2], np.hypot(ray[0], ray[1]))
            head = np.clip((yaw, pitch, 0.0), low, high)
        return head, float(np.arccos(np.clip(rotation[:, 2] @ ray, -1.0, 1.0)))

    def feasible(self, task: Task, target: Target) -> bool:
        """Whether an upright robot can do it without contortion and self-collision."""
        if task.kind is TaskKind.LOOK:
            return self.look(target)[1] < LOOK_ERROR
        if task.kind is TaskKind.REACH:
            goal = self.reach(task.hand, target)
            return goal.error < REACH_ERROR and self._comfortable(task.hand, goal)
        if task.kind is TaskKind.POINT:
            goal = self.point(task.hand, target)
            return goal.error < POINT_ERROR and self._comfortable(task.hand, goal)
        return True

    def _comfortable(self, hand: str, goal: ArmGoal) -> bool:
        solver = self._solvers[hand]
        ready = self._ready[solver.joints]
        if np.abs(goal.joints - ready).max() > CONTORTED:
            return False
        q = self._ready.copy()
        for share in (0.35, 0.7, 1.0):
            q[solver.joints] = ready + share * (goal.joints - ready)
            if not solver.clearance(q) > CLEAR:
                return False
        return True
