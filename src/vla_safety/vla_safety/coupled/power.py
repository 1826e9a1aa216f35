# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Limit of the mechanical power of all servos together."""

import numpy as np


class PowerLimit:
    """Keeps Σ|τᵢ·uᵢ| below a limit, τ being the present torque of the servos.

    τ = kp·(p − q) + kv·(v − q̇) + g, cut at the effort limits as the servo cuts it. The sum is
    convex in u, so at the share s of the way from the full brake (P_b) to the wanted velocity (P_w)
    it is at most P_b + s·(P_w − P_b): s = (P_max − P_b)/(P_w − P_b) keeps the limit. Braking itself
    is never limited.

    Args:
        kp, kv: (n,) of the servos.
        effort: (n,) Nm.
        limit: W.
    """

    def __init__(self, kp: np.ndarray, kv: np.ndarray, effort: np.ndarray, limit: float) -> None:
        self._kp, self._kv = np.array(kp, dtype=float), np.array(kv, dtype=float)
        self._effort = np.array(effort, dtype=float)
        self.limit = limit
        self._torque = np.zeros(len(self._kp))
        self._scratch = np.zeros(len(self._kp))

    def update(
        self,
        position: np.ndarray,
        velocity: np.ndarray,
        measured_position: np.ndarray,
        measured_velocity: np.ndarray,
        feed_forward: np.ndarray,
    ) -> None:
        """Take |τ| from the last command and the measured joints, (n,) each."""
        np.subtract(position, measured_position, out=self._torque)
        self._torque *= self._kp
        np.subtract(velocity, measured_velocity, out=self._scratch)
        self._scratch *= self._kv
        self._torque += self._scratch
        self._torque += feed_forward
        np.abs(self._torque, out=self._torque)
        np.minimum(self._torque, self._effort, out=self._torque)

    def harmless(self, velocity: np.ndarray) -> bool:
        """Whether `velocity` (n,) keeps the limit even at full effort."""
        return bool(self._effort.dot(np.abs(velocity, self._scratch)) <= self.limit)

    def power(self, velocity: np.ndarray) -> float:
        """W at `velocity` (n,) rad/s."""
        return float(self._torque.dot(np.abs(velocity)))

    def share(self, wanted: np.ndarray, brake: np.ndarray) -> float:
        """0..1, the allowed share of the way from the brake to the wanted velocity."""
        requested = self.power(wanted)
        if requested <= self.limit:
            return 1.0
        least = self.power(brake)
        if not least < self.limit:
            return 0.0
        return (self.limit - least) / (requested - least)
