# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Arm postures by damped least squares (Levenberg–Marquardt) on the robot model's Jacobians.

Buss, "Introduction to Inverse Kinematics with Jacobian Transpose, Pseudoinverse and Damped Least
Squares methods" (2004), with joint limits by clipping and a weak pull to a comfortable posture.
"""

from __future__ import annotations

import numpy as np

from vla_robot import Kinematics

DAMPING = 1e-4
FINGERS = np.array([0.0, 0.0, -1.0])  # where the finger tips point, in the hand frame


def _skew(v: np.ndarray) -> np.ndarray:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def _step_inside(
    rows: np.ndarray, residual: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Damped least-squares step; a joint that it would push over its limit stays where it is, and
    the others make up for it (clipping alone gets stuck at the limit)."""
    free = np.ones(rows.shape[1], bool)
    step = np.zeros(rows.shape[1])
    for _ in range(3):
        part = rows[:, free]
        step[:] = 0.0
        normal = part.T @ part + DAMPING * np.eye(part.shape[1])
        step[free] = np.linalg.solve(normal, part.T @ residual)
        blocked = free & (((step < 0) & (low > -1e-3)) | ((step > 0) & (high < 1e-3)))
        if not blocked.any():
            break
        free &= ~blocked
    return step


def solve(
    kinematics: Kinematics,
    start: np.ndarray,
    joints: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    hand: str,
    tip: np.ndarray,
    direction: np.ndarray,
    *,
    tip_weight: float = 1.0,
    direction_weight: float = 0.03,
    comfort_weight: float = 0.01,
    iterations: int = 30,
) -> tuple[np.ndarray, float, float]:
    """Bring the finger tips to `tip` (3,) m, pointing along `direction` (3,), in the base frame.

    `start` (n,) is the whole posture to begin from and to stay near; only `joints` move, inside
    `lower`, `upper` (n,). Weights are per metre and per radian. Returns the joints' angles, the
    remaining distance in m and the remaining angle in rad.
    """
    q = start.copy()
    rest = start[joints]
    count = len(joints)
    for _ in range(iterations):
        kinematics.update(q)
        rotation, position = kinematics.frame(hand)
        jacobian = kinematics.frame_jacobian(hand)[:, joints]
        axis = rotation @ FINGERS
        # d(axis)/dq = -[axis]x J_angular; the error is along the geodesic to `direction`.
        residual = np.concatenate(
            [
                tip_weight * (tip - position),
                direction_weight * (direction - axis),
                comfort_weight * (rest - q[joints]),
            ]
        )
        rows = np.vstack(
            [
                tip_weight * jacobian[:3],
                direction_weight * (-_skew(axis) @ jacobian[3:]),
                comfort_weight * np.eye(count),
            ]
        )
        step = _step_inside(rows, residual, lower[joints] - q[joints], upper[joints] - q[joints])
        step *= min(1.0, 0.3 / (np.abs(step).max() + 1e-9))
        q[joints] = np.clip(q[joints] + step, lower[joints], upper[joints])
        if np.abs(step).max() < 5e-4:
            break
    kinematics.update(q)
    rotation, position = kinematics.frame(hand)
    cosine = float(np.clip(rotation @ FINGERS @ direction, -1.0, 1.0))
    return q[joints], float(np.linalg.norm(tip - position)), float(np.arccos(cosine))
