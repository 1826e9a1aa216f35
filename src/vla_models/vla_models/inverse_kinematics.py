# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Arm postures by differential inverse kinematics: a short sequence of quadratic programs.

Each step minimises the weighted errors of all tasks at once (Kanoun, Lamiraux, Wieber, "Kinematic
control of redundant manipulators", 2011) inside the joint limits and away from the robot's other
links: a distance d between two links may not shrink below `CLEARANCE` (d + grad d · step), with
Pinocchio and DAQP.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pinocchio

from vla_robot import Kinematics, RobotModel
from vla_robot.quadratic_program import solve

FINGERS = np.array([0.0, 0.0, -1.0])  # where the finger tips point, in the hand frame
# m between an arm and the rest of the body: more than the 20 mm of the safety filter, which would
# otherwise correct the demonstrations.
CLEARANCE = 0.025
NEAR = 0.04  # m; links that are further apart do not restrict a step
STEP_LIMIT = 0.4  # rad per iteration, the range of the linearisation
SETTLED = 3e-3  # rad
DAMPING = 1e-3
ARM_LINKS = ('upper_arm', 'forearm', 'palm')
LEG_LINKS = ('thigh', 'shank', 'foot')

DIRECTION_WEIGHT = 0.03  # of the fingers, beside 1 for the tips
HEIGHT_WEIGHT = 0.4  # of the tips, beside 1 for the direction
# Errors (m,) and their derivatives (m, n) with respect to all joints, both weighted.
Residual = Callable[[Kinematics], tuple[np.ndarray, np.ndarray]]


def tip_at(hand: str, tip: np.ndarray, direction: np.ndarray) -> Residual:
    """Finger tips at `tip` (3,) m, fingers along `direction` (3,) with a small weight."""
    direction = direction / np.linalg.norm(direction)

    def residual(kinematics: Kinematics) -> tuple[np.ndarray, np.ndarray]:
        rotation, position = kinematics.frame(f'{hand}_hand')
        jacobian = kinematics.frame_jacobian(f'{hand}_hand')
        axis = rotation @ FINGERS
        error = np.concatenate([tip - position, DIRECTION_WEIGHT * (direction - axis)])
        # d(axis) = w x axis
        turning = DIRECTION_WEIGHT * (-pinocchio.skew(axis) @ jacobian[3:])
        return error, np.vstack([jacobian[:3], turning])

    return residual


def pointing_at(hand: str, target: np.ndarray, height: float) -> Residual:
    """Fingers in line with `target` (3,) m, their tips roughly `height` m higher than it."""

    def residual(kinematics: Kinematics) -> tuple[np.ndarray, np.ndarray]:
        rotation, position = kinematics.frame(f'{hand}_hand')
        jacobian = kinematics.frame_jacobian(f'{hand}_hand')
        axis = rotation @ FINGERS
        ray = target - position
        length = float(np.linalg.norm(ray))
        ray /= length
        across = np.eye(3) - np.outer(ray, ray)
        # d(axis - ray): the axis turns with the hand, the ray with the tip.
        rows = -pinocchio.skew(axis) @ jacobian[3:] + across @ jacobian[:3] / length
        low = target[2] + height - position[2]
        error = np.append(ray - axis, HEIGHT_WEIGHT * low)
        return error, np.vstack([rows, HEIGHT_WEIGHT * jacobian[2]])

    return residual


class ArmSolver:
    """Postures of one arm, the rest of the body given. Not thread-safe.

    Args:
        lower, upper: (n,) rad, the range of the goals.
    """

    def __init__(self, robot: RobotModel, hand: str, lower: np.ndarray, upper: np.ndarray) -> None:
        self.joints = robot.groups[f'{hand}_arm']
        self._lower, self._upper = lower[self.joints], upper[self.joints]
        links = {f'{hand}_{part}' for part in ARM_LINKS}
        legs = {f'{side}_{part}' for side in ('left', 'right') for part in LEG_LINKS}
        # Only pairs that can meet above the table: distances are expensive.
        pairs = (p for p in robot.collision_pairs if set(p) & links and not set(p) & legs)
        self.kinematics = replace(robot, collision_pairs=tuple(pairs)).kinematics()

    def clearance(self, q: np.ndarray) -> float:
        """m between the arm and the nearest other link, at posture `q` (n,)."""
        self.kinematics.update(q)
        return float(self.kinematics.distances().min())

    def solve(
        self, start: np.ndarray, residual: Residual, comfort: float, iterations: int = 25
    ) -> np.ndarray:
        """The arm's angles (7,) rad, from the whole posture `start` (n,).

        comfort: weight of the distance from there, per rad. A larger one makes the goals of
        neighbouring places more alike and less exact. Distances are kept to first order within a
        step; `clearance` checks the result.
        """
        q = start.copy()
        rest = start[self.joints]
        count = len(self.joints)
        identity = np.eye(count)
        for _ in range(iterations):
            self.kinematics.update(q)
            error, rows = residual(self.kinematics)
            rows = rows[:, self.joints]
            here = q[self.joints]
            cost = rows.T @ rows + (comfort**2 + DAMPING) * identity
            slope = -rows.T @ error - comfort**2 * (rest - here)
            low = np.maximum(self._lower - here, -STEP_LIMIT)
            high = np.minimum(self._upper - here, STEP_LIMIT)
            gradients, room = self._near()
            bound_low = np.concatenate([np.minimum(low, 0.0), room])
            bound_high = np.concatenate([np.maximum(high, 0.0), np.full(len(room), 1e30)])
            step = solve(cost, slope, bound_low, bound_high, gradients)
            if step is None:
                break  # no step without contact: the last posture is the answer
            q[self.joints] = np.clip(here + step, self._lower, self._upper)
            if np.abs(step).max() < SETTLED:
                break
        return q[self.joints]

    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of the small distances, and the lower bound of the change of each."""
        distances = self.kinematics.distances()
        close = np.flatnonzero(distances < NEAR)
        gradients = np.zeros((len(close), len(self.joints)))
        for row, pair in zip(gradients, close, strict=True):
            row[:] = self.kinematics.distance_gradient(int(pair))[self.joints]
        # At most half a centimetre of retreat per step, which stays feasible.
        room = np.minimum(CLEARANCE - distances[close], 0.005)
        return gradients, room
