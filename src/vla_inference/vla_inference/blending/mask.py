# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How much of a new chunk the one before it decides, point by point."""

from __future__ import annotations

import math

import numpy as np


def soft_mask(times: np.ndarray, frozen: float, end: float) -> np.ndarray:
    """Weights (h,) of the plan before: 1 up to `frozen`, falling to 0 at `end` (s of chunk time).

    The soft mask of real-time chunking (Black, Galliker, Levine 2025): c (e^c - 1) / (e - 1) with c
    falling linearly from 1 to 0. What is beyond `end` the plan before does not know: 0.
    """
    span = max(end - frozen, 1e-9)
    c = np.clip((end - np.asarray(times, float)) / span, 0.0, 1.0)
    weights = c * np.expm1(c) / (math.e - 1.0)
    weights[times <= frozen] = 1.0
    weights[times > end] = 0.0
    return weights
