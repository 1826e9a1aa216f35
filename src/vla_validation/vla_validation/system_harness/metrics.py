# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Distributions, and the machine that they were taken on."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence

import numpy as np


def distribution(values: Sequence[float]) -> dict[str, float | int | None]:
    """p50, p99, max and n of ``values``, rounded to 0.01; None where there are none."""
    if not len(values):
        return {'p50': None, 'p99': None, 'max': None, 'n': 0}
    p50, p99 = np.percentile(values, [50, 99])
    return {
        'p50': round(float(p50), 2),
        'p99': round(float(p99), 2),
        'max': round(float(max(values)), 2),
        'n': len(values),
    }


def machine() -> str:
    """Date, processor, cores and load, in one line."""
    model = platform.processor() or platform.machine()
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as file:
            names = [line.split(':', 1)[1].strip() for line in file if 'model name' in line]
        model = names[0] if names else model
    except OSError:
        pass
    day = datetime.date.today().isoformat()
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f'{day}, {model}, {os.cpu_count()} cores, load {load:.1f}, Python {python}'
