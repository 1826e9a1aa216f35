# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Shaping the wanted velocity so that acceleration changes gradually."""

from __future__ import annotations

import numpy as np

from vla_safety.kernel import joints


class JerkLimiter:
    """Turns a wanted velocity into one that jerk-limited acceleration leads to.

    The acceleration towards the wanted velocity is chosen like a speed towards a position: at most
    what can still be brought to zero, at the jerk j, by the time the velocity is reached. It shapes
    what is *wanted* and yields to the box: a joint about to hit its limit brakes as hard as the
    acceleration limit says, whatever the jerk.

    Args:
        jerk: (n,) rad/s³, > 0.
        acceleration: (n,) rad/s², > 0, the most that is asked for.
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
