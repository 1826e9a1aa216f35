# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How far a position command may be from the measured joint before the servo saturates."""

from __future__ import annotations

import numpy as np


class TorqueReach:
    """The window of position commands that a servo turns into no more than its effort limit.

    The servo's law is τ = kp·(p − q) + kv·(u − q̇) + g, with p, u the command, q, q̇ the measured
    joint and g the feed-forward. |τ| ≤ τ_max solved for p:

        q + (−τ_max − g − kv·(u − q̇)) / kp  ≤  p  ≤  q + (τ_max − g − kv·(u − q̇)) / kp

    Args:
        kp: (n,) Nm/rad; 0 means no position servo, the window is then unbounded.
        kv: (n,) Nm·s/rad.
        effort: (n,) Nm, the limit that may be used.
    """

    def __init__(self, kp: np.ndarray, kv: np.ndarray, effort: np.ndarray) -> None:
        kp = np.asarray(kp, dtype=float)
        with np.errstate(divide='ignore'):
            self._compliance = np.where(kp > 0.0, 1.0 / kp, np.inf)
        self._kv = np.array(kv, dtype=float)
        self._kp = kp.copy()
        self._effort = np.array(effort, dtype=float)
        self._offset = np.zeros(len(kp))
        self.low = np.zeros(len(kp))
        self.high = np.zeros(len(kp))

    def update(
        self,
        position: np.ndarray,
        velocity: np.ndarray,
        command_velocity: np.ndarray,
        feed_forward: np.ndarray,
    ) -> None:
        """Compute low and high (n,) rad from the measured state and the last command."""
        middle = np.subtract(velocity, command_velocity, self._offset)
        middle *= self._kv
        middle -= feed_forward
        high = np.add(middle, self._effort, self.high)
        high *= self._compliance
        high += position
        low = np.subtract(middle, self._effort, self.low)
        low *= self._compliance
        low += position

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
