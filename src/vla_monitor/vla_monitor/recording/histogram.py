# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Mean, percentile and maximum of any number of values in constant memory."""

import math
from collections import Counter

_PER_E = 50.0
"""Bins per factor e: a percentile is within 1 % of a value that occurred."""


class Histogram:
    """Counts of positive values in bins of equal ratio. A value that is not finite is left out."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self._zeros = 0
        self.n = 0
        self._sum = 0.0
        self._max = 0.0

    def add(self, value: float) -> None:
        """Count a value; one below zero (the messages' word for "unknown") is left out."""
        if not 0.0 <= value < math.inf:
            return
        self.n += 1
        self._sum += value
        self._max = max(self._max, value)
        if value > 0.0:
            self._bins[round(math.log(value) * _PER_E)] += 1
        else:
            self._zeros += 1

    def percentile(self, percent: float) -> float | None:
        """The value that `percent` of the values do not exceed; None without values."""
        if not self.n:
            return None
        rest = math.ceil(percent / 100.0 * self.n) - self._zeros
        if rest <= 0:
            return 0.0
        for bin_number in sorted(self._bins):
            rest -= self._bins[bin_number]
            if rest <= 0:
                return min(math.exp(bin_number / _PER_E), self._max)
        return self._max

    def summary(self) -> dict[str, float | int | None]:
        """mean, p50, p95, max in the unit of the values, and n."""
        if not self.n:
            return {'mean': None, 'p50': None, 'p95': None, 'max': None, 'n': 0}
        return {
            'mean': self._sum / self.n,
            'p50': self.percentile(50.0),
            'p95': self.percentile(95.0),
            'max': self._max,
            'n': self.n,
        }
