# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The one formula that everything that has to stop in time is built on."""

from __future__ import annotations

import numpy as np


def stopping_speed(
    distance: np.ndarray, rate: np.ndarray, period: float | np.ndarray
) -> np.ndarray:
    """Greatest speed for the coming period from which `rate` still stops within `distance`.

    With v the speed held for one period T and then lowered at the rate a, the way is
    v·T + v²/2a; setting it equal to the distance d and solving for v gives

        v = −aT + √((aT)² + 2ad)

    For any later sequence of periods h₁, h₂, … the sampled brake vᵢ = max(0, vᵢ₋₁ − a·hᵢ) covers
    Σ hᵢ·vᵢ ≤ v²/2a (a right Riemann sum of a falling function), so the bound holds under any
    timer jitter, not only at the period that it was computed with.

    Args:
        distance: (n,) rad, ≥ 0 (negative counts as 0).
        rate: (n,) rad/s², > 0.
        period: s, ≥ 0; one for all or (n,).

    Returns:
        (n,) rad/s, ≥ 0, and ≤ distance / period.
    """
    at = rate * period
    speed = np.maximum(distance, 0.0)
    speed *= rate
    speed += speed
    speed += at * at
    np.sqrt(speed, speed)
    speed -= at
    return speed
