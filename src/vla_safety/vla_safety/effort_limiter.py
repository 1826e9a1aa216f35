# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How far a position command may be from the measured joint before the servo saturates."""

from __future__ import annotations

import numpy as np

from vla_safety.kernel import joints


class EffortLimiter:
    """The window of position commands that a servo turns into no more than its effort limit.

    The servo's law is τ = kp·(p − q) + kv·(u − q̇) + g, with p, u the command, q, q̇ the measured
    joint and g the feed-forward. |τ| ≤ τ_max solved for p:

        q + (−τ_max − g − kv·(u − q̇)) / kp  ≤  p  ≤  q + (τ_max − g − kv·(u − q̇)) / kp

    Args:
        kp: (n,) Nm/rad; 0 means no position servo, the window is then unbounded.
        kv: (n,) Nm·s/rad.
        effort: (n,) Nm, the limit that may be used.

    Attributes:
        window: (2, n) rad, low and high, also by their names.
    """

    def __init__(self, kp: np.ndarray, kv: np.ndarray, effort: np.ndarray) -> None:
        kp = np.array(kp, dtype=float)
        with np.errstate(divide='ignore'):
            compliance = np.where(kp > 0.0, 1.0 / kp, np.inf)
        self._servo = np.array((compliance, kv, effort), dtype=float)
        self._kp, self._kv = kp, self._servo[1]
        self.window = np.zeros((2, len(kp)))
        self.low, self.high = self.window

    def update(
        self,
        position: np.ndarray,
        velocity: np.ndarray,
        command_velocity: np.ndarray,
        feed_forward: np.ndarray,
    ) -> None:
        """Compute the window from the measured state and the last command, (n,) each."""
        joints.reach(self._servo, position, velocity, command_velocity, feed_forward, self.window)

    def torque(
        self,
        command: np.ndarray,
        command_velocity: np.ndarray,
        position: np.ndarray,
        velocity: np.ndarray,
        feed_forward: np.ndarray,
    ) -> np.ndarray:
        """τ (n,) Nm that the servo answers with, before it saturates."""
        return (
            self._kp * (command - position)
            + self._kv * (command_velocity - velocity)
            + feed_forward
        )
