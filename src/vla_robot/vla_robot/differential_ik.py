# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Joint positions that follow poses of end effectors: differential inverse kinematics in limits.

Each point of the motion is approached by a few quadratic programs over the change of the joints d,

    min ½ |W (J d - e)|² + ½ dᵀ D d   with   lower <= d <= upper,

e the error of all end effectors (m, rad), W a length per angle, and bounds that keep each joint in
its range and below the velocity that reaches the point in time (Kanoun, Lamiraux, Wieber,
"Kinematic control of redundant manipulators", 2011). D damps all directions a little, and those
in which the arm is nearly singular as much as they are lost (Chiaverini, "Singularity-robust
task-priority redundancy resolution", 1997): λ² (1 - (σ/σ₀)²) along the right singular vectors of
W J with σ < σ₀. What cannot be reached is approached as far as the bounds allow, and the error that
is left is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pinocchio

from vla_robot.quadratic_program import solve

if TYPE_CHECKING:
    from vla_robot.robot_model import RobotModel

LENGTH = 0.25
"""m per rad: 1 rad off counts as much as 0.25 m, about the length of a hand with its object."""
DAMPING = 2e-3
"""m per rad, in all directions: the error that is left is weighed against the motion for it."""
SINGULAR, SINGULAR_DAMPING = 0.04, 0.12
"""m per rad: singular values of W J below which a direction is damped, and how much at 0."""
FURTHEST = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.5])
"""m and rad of error that one program looks at: beyond it the linearisation is worth nothing."""
ITERATIONS = 5
"""Programs per point at most."""
REACHED_M, REACHED_RAD = 1e-4, 5e-4
"""Errors with which a point counts as reached: no further program."""
LEAST_STEP = 1e-5
"""rad: a change below it ends the iteration."""


@dataclass(frozen=True)
class Followed:
    """positions (h, k) rad; errors that are left at each point, of the worst end effector: position
    (h,) m, rotation (h,) rad. programs: quadratic programs that were solved."""

    positions: np.ndarray
    position_error: np.ndarray
    rotation_error: np.ndarray
    programs: int


class PoseFollower:
    """Follows poses with some joints of a robot, the others at rest. Not thread-safe.

    Args:
        joints: indices of the joints that may move (k,).
        frames: end effectors, frames of robot.yaml or links.
        turned: whether the orientation of each matters; an arm of five joints cannot keep it.

    Raises KeyError: no such frame.
    """

    def __init__(
        self,
        robot: RobotModel,
        joints: Sequence[int],
        frames: Sequence[str],
        turned: Sequence[bool],
    ) -> None:
        self._joints = np.asarray(joints, np.intp)
        self._frames = tuple(frames)
        self._kinematics = robot.kinematics()
        for frame in self._frames:
            self._kinematics.frame_id(frame)
        limits, margin = robot.limits, robot.soft_margin
        self._lower = (limits.lower + margin)[self._joints]
        self._upper = (limits.upper - margin)[self._joints]
        self._velocity = limits.velocity[self._joints]
        rows = 6 * len(self._frames)
        self._weights = np.tile([1.0, 1.0, 1.0, LENGTH, LENGTH, LENGTH], len(self._frames))
        for number, matters in enumerate(turned):
            if not matters:
                self._weights[6 * number + 3 : 6 * number + 6] = 0.0
        self._turned = np.asarray(turned, bool)
        self._furthest = np.tile(FURTHEST, len(self._frames))
        self._error = np.zeros(rows)
        self._jacobian = np.zeros((rows, len(self._joints)))
        self._damping = DAMPING**2 * np.eye(len(self._joints))

    def poses(self, q: np.ndarray, frames: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (e, 3, 3) and positions (e, 3) m of frames in the base, at posture q (n,)."""
        self._kinematics.update(q)
        found = [self._kinematics.frame(frame) for frame in frames]
        return np.array([r for r, _ in found]), np.array([p for _, p in found])

    def follow(
        self, q: np.ndarray, rotations: np.ndarray, positions: np.ndarray, step: float
    ) -> Followed:
        """The motion from the posture q (n,) through poses (h, e, 3, 3) and (h, e, 3), base.

        step: s between the points, and to the first. All must be finite.
        """
        q = np.array(q, float)
        reach = step * self._velocity
        count = len(positions)
        found = np.empty((count, len(self._joints)))
        errors = np.empty((count, 2))
        programs = 0
        for i in range(count):
            here = q[self._joints]
            # From outside of its range a joint may only come back, at its own speed.
            low = np.minimum(np.maximum(here - reach, self._lower), here + reach)
            high = np.maximum(np.minimum(here + reach, self._upper), here - reach)
            q[self._joints] = np.clip(here, low, high)
            done = False
            for _ in range(ITERATIONS):
                errors[i] = self._measure(q, rotations[i], positions[i])
                done = errors[i, 0] <= REACHED_M and errors[i, 1] <= REACHED_RAD
                if done:
                    break
                programs += 1
                change = self._step(q[self._joints], low, high)
                if change is None:
                    break
                moved = np.clip(q[self._joints] + change, low, high)
                size = np.abs(moved - q[self._joints]).max()
                q[self._joints] = moved
                if size < LEAST_STEP:
                    break
            if not done:
                errors[i] = self._measure(q, rotations[i], positions[i])
            found[i] = q[self._joints]
        return Followed(found, errors[:, 0], errors[:, 1], programs)

    def _measure(
        self, q: np.ndarray, rotations: np.ndarray, positions: np.ndarray
    ) -> tuple[float, float]:
        """Fill the error and return its size: m and rad of the worst end effector."""
        self._kinematics.update(q)
        far = turn = 0.0
        for number, frame in enumerate(self._frames):
            rotation, position = self._kinematics.frame(frame)
            row = 6 * number
            error = self._error[row : row + 6]
            error[:3] = positions[number] - position
            far = max(far, float(np.linalg.norm(error[:3])))
            if self._turned[number]:
                error[3:] = pinocchio.log3(np.asfortranarray(rotations[number] @ rotation.T))
                turn = max(turn, float(np.linalg.norm(error[3:])))
        return far, turn

    def _step(self, here: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
        """The change (k,) rad of one program, after `_measure`; None where there is none."""
        weights = self._weights
        for number, frame in enumerate(self._frames):
            full = self._kinematics.frame_jacobian(frame)
            self._jacobian[6 * number : 6 * number + 6] = full[:, self._joints]
        weighted = weights[:, None] * self._jacobian
        error = weights * np.clip(self._error, -self._furthest, self._furthest)
        cost = weighted.T @ weighted
        # Eigenvalues of the cost are the squares of the singular values of W J.
        squares, vectors = np.linalg.eigh(cost)
        # As many as there are rows: those of a redundant arm beyond them are not lost, but free.
        lost = squares[-min(len(squares), int(np.count_nonzero(weights))) :]
        near = np.maximum(1.0 - np.maximum(lost, 0.0) / SINGULAR**2, 0.0)
        if near.any():
            axes = vectors[:, -len(lost) :]
            cost = cost + (axes * (SINGULAR_DAMPING**2 * near)) @ axes.T
        cost = cost + self._damping
        return solve(cost, -weighted.T @ error, low - here, high - here)
