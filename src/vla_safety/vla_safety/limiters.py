# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Limiters around the box: servo effort, jerk, and the speed scale."""

import numpy as np

from vla_safety.kernel import joints

STAGE_SCALE: dict[str, float] = {'sim': 1.0, 'slow': 0.25, 'fast': 1.0}
"""Speed of each deployment stage: simulation, first trials on the robot, normal use."""


class EffortLimiter:
    """The position commands that a servo turns into no more than its effort limit.

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

    def limit(self, at: np.ndarray, effort: np.ndarray) -> None:
        """Set the effort limit (k,) of the joints `at` (k,)."""
        self._servo[2, at] = effort

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


class JerkLimiter:
    """Limits the jerk with which the wanted velocity is approached.

    The acceleration is chosen like a speed towards a position: at most what can still be brought to
    zero, at the jerk j, by the time the velocity is reached. It shapes the *wanted* velocity and
    yields to the box: a joint about to reach its limit brakes at the acceleration limit, whatever
    the jerk.

    Args:
        jerk: (n,) rad/s³, > 0.
        acceleration: (n,) rad/s², > 0, the most that is used.
    """

    def __init__(self, jerk: np.ndarray, acceleration: np.ndarray) -> None:
        self._jerk = np.array((jerk, acceleration), dtype=float)
        self._shaped = np.zeros(len(self._jerk[0]))

    def shape(
        self, wanted: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray, period: float
    ) -> np.ndarray:
        """Return the shaped velocity (n,) rad/s; valid until the next call.

        Args:
            velocity, acceleration: (n,) of the last command.
            period: s.
        """
        joints.shape_jerk(self._jerk, wanted, velocity, acceleration, self._shaped, period)
        return self._shaped


class SpeedScale:
    """The scale in force. It multiplies both the playback of chunks and the velocity limits.

    Args:
        stage_scale: 0..1, fixed.
        rate: 1/s, how fast the scale may change, so that a change of scale by itself requests an
            acceleration of at most rate · velocity.
    """

    def __init__(self, stage_scale: float, rate: float) -> None:
        if not 0.0 < stage_scale <= 1.0 or not rate > 0.0:
            raise ValueError('stage scale must be in (0, 1] and rate > 0')
        self._stage_scale = stage_scale
        self._rate = rate
        self.value = stage_scale

    def reset(self, requested: float) -> None:
        """Take the requested scale at once: nothing moves, so there is nothing to ramp."""
        self.value = self._target(requested)

    def advance(self, requested: float, dt: float) -> float:
        """Move towards `requested` (0..1; anything else counts as 0) for `dt` s."""
        target = self._target(requested)
        step = self._rate * dt
        self.value += min(max(target - self.value, -step), step)
        return self.value

    def _target(self, requested: float) -> float:
        # A positive test: NaN and numbers out of range slow down, never speed up.
        return self._stage_scale * (requested if 0.0 <= requested <= 1.0 else 0.0)
