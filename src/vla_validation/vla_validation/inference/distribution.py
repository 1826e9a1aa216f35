# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Measured times as the numbers that are printed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def distribution(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99, max in ms, and how many."""
    ms = 1e3 * np.asarray(seconds)
    return {
        'p50': round(float(np.percentile(ms, 50)), 3),
        'p99': round(float(np.percentile(ms, 99)), 3),
        'max': round(float(ms.max()), 3),
        'n': len(ms),
    }
