# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How fast the robot may go now: the deployment stage times the supervisor's scale, ramped."""

from __future__ import annotations

STAGE_SCALE: dict[str, float] = {'sim': 1.0, 'slow': 0.25, 'fast': 1.0}
"""Speed of each deployment stage: simulation, first trials on the robot, normal use."""


class SpeedScale:
    """The scale in force. It multiplies both the playback of chunks and the velocity limits.

    Args:
        stage_scale: 0..1, fixed.
        rate: 1/s, how fast the scale may change, so that a change of scale by itself asks for an
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
