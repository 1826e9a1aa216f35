# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Small dense quadratic programs with DAQP, their input and answer checked."""

import daqp
import numpy as np

SOLVED = 1
"""DAQP's exit flag for an optimum."""

TOLERANCE = 1e-5
"""By which an answer may break a bound."""


def solve(
    cost: np.ndarray,
    slope: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    rows: np.ndarray | None = None,
) -> np.ndarray | None:
    """The x (n,) of least ½ xᵀ·cost·x + slopeᵀx, or None where there is none.

    DAQP treats a bound with a NaN as satisfied: a problem that is not finite has no answer here,
    and an answer that breaks a bound is none.

    Args:
        cost: (n, n), positive definite. slope: (n,).
        lower, upper: (n + k,), of x and then of rows·x. 1e30 stands for no bound.
        rows: (k, n); None for bounds of x alone.
    """
    if rows is None:
        rows = np.zeros((0, len(slope)))
    if not all(np.isfinite(part).all() for part in (cost, slope, lower, upper, rows)):
        return None
    x, _, flag, _ = daqp.solve(cost, slope, rows, upper, lower)
    if flag != SOLVED or not np.isfinite(x).all():
        return None
    values = np.concatenate([x, rows @ x]) if len(rows) else x
    if not ((values >= lower - TOLERANCE) & (values <= upper + TOLERANCE)).all():
        return None
    return x
