# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Postures of an arm that grips from above: damped least squares inside the joint limits.

Errors of position and orientation of the hand are lowered by q += Jᵀ(JJᵀ + λ²)⁻¹·e (Wampler 1986),
with what is left of the redundancy drawn to the ready pose.
"""

import numpy as np

from vla_robot import RobotModel

DAMPING = 0.02
REDUNDANCY = 0.1
"""Share of the way to the ready pose, per iteration, in what does not move the hand."""
FADING = 0.95
"""Of that share from one iteration to the next: damping lets some of it move the hand."""
ITERATIONS = 200
STEP = 0.2
"""rad per iteration and joint at most."""
POSITION = 5e-4
"""m"""
ORIENTATION = 5e-3
"""rad"""
MARGIN = 0.02
"""rad inside the joint limits."""


class UnreachableError(ValueError):
    """No posture puts the hand there."""


def above(yaw: float) -> np.ndarray:
    """(3, 3) of a hand that points down and closes across `yaw` rad in the base's plane."""
    closing = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    down = np.array([0.0, 0.0, -1.0])
    return np.column_stack([np.cross(closing, down), closing, down])


class HandPostures:
    """Of the arm that carries the frame `hand`; the fingers close along its y axis."""

    def __init__(self, robot: RobotModel) -> None:
        self._robot, self._kinematics = robot, robot.kinematics()
        self._joints = list(robot.chain('hand'))
        margin = robot.soft_margin[self._joints] + MARGIN
        self._lower = robot.limits.lower[self._joints] + margin
        self._upper = robot.limits.upper[self._joints] - margin
        self._rest = robot.poses['ready'][self._joints]

    def solve(self, start: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """(n,) rad: `start` (n,), the hand's origin at (3,) m with axes (3, 3) in the base's frame.

        Raises UnreachableError.
        """
        q = start.copy()
        joints, kinematics = self._joints, self._kinematics
        identity = np.eye(6)
        for k in range(ITERATIONS):
            kinematics.update(q)
            here, at = kinematics.frame('hand')
            turn = rotation @ here.T
            axis = 0.5 * np.array(
                [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
            )
            if np.trace(turn) < 1.0:  # beyond a quarter turn the sine falls again
                axis /= max(float(np.linalg.norm(axis)), 1e-6)
            error = np.concatenate([position - at, axis])
            off = np.linalg.norm(error[:3]), np.linalg.norm(axis)
            if off[0] <= POSITION and off[1] <= ORIENTATION:
                return q
            jacobian = kinematics.frame_jacobian('hand')[:, joints]
            inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * identity)
            to_rest = REDUNDANCY * FADING**k * (self._rest - q[joints])
            step = inverse @ error + to_rest - inverse @ (jacobian @ to_rest)
            step *= min(1.0, STEP / max(float(np.abs(step).max()), 1e-9))
            q[joints] = np.clip(q[joints] + step, self._lower, self._upper)
        where = ', '.join(f'{value:.3f}' for value in position)
        raise UnreachableError(
            f'no posture for the hand at {where} m: {off[0] * 1e3:.1f} mm, {off[1]:.3f} rad remain'
        )
