# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Sampling a chunk from a flow-matching head, guided by its committed part.

A head gives the velocity field v(x, t) that carries noise (t = 0) to chunks (t = 1) along
x_t = (1 - t) noise + t chunk. Plain sampling integrates it with Euler's method. Real-time chunking
(Black, Galliker, Levine 2025, after Pokle et al. 2024) adds to each step a correction that pulls
the predicted end x + (1 - t) v towards the target chunk Y with the weights W:

    v + min(beta, (1 - t) / (t r^2)) * J^T W (Y - (x + (1 - t) v)),
    r^2 = (1 - t)^2 / (t^2 + (1 - t)^2),  J = d(x + (1 - t) v) / dx.
"""

from typing import Protocol

import numpy as np


class VelocityField(Protocol):
    """Interface of a head; x, u: (h, k), normalised."""

    def end(self, x: np.ndarray, t: float) -> np.ndarray:
        """The predicted chunk x + (1 - t) v(x, t)."""
        ...

    def pull_back(self, x: np.ndarray, t: float, u: np.ndarray) -> np.ndarray:
        """J^T u, J the derivative of `end` at x."""
        ...


def guidance(t: float, limit: float) -> float:
    """The factor of the correction at time t."""
    if t <= 0.0:
        return limit
    spread = (1.0 - t) ** 2 / (t**2 + (1.0 - t) ** 2)
    return min(limit, (1.0 - t) / (t * spread)) if spread > 0.0 else limit


def sample(
    field: VelocityField,
    noise: np.ndarray,
    steps: int = 5,
    target: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    limit: float = 5.0,
) -> np.ndarray:
    """A chunk (h, k) from `noise` (h, k). target (h, k), weights (h,): Y and W above; without them
    plain sampling."""
    x = np.array(noise, float)
    dt = 1.0 / steps
    for i in range(steps):
        t = i * dt
        end = field.end(x, t)
        velocity = (end - x) / (1.0 - t)
        if target is not None and weights is not None:
            error = weights[:, None] * (target - end)
            velocity = velocity + guidance(t, limit) * field.pull_back(x, t, error)
        x = x + dt * velocity
    return x
