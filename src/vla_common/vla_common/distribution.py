# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The distribution that every measurement of the workspace reports."""

from collections.abc import Sequence

import numpy as np


def distribution(values: Sequence[float]) -> dict[str, float | int | None]:
    """p50, p99 and max of `values`, in their unit, and n; None where there are no values."""
    values = np.asarray(values, float)
    if not len(values):
        return {'p50': None, 'p99': None, 'max': None, 'n': 0}
    p50, p99 = np.percentile(values, [50, 99])
    rounded = (round(float(value), 3) for value in (p50, p99, values.max()))
    return {**dict(zip(('p50', 'p99', 'max'), rounded, strict=True)), 'n': len(values)}
