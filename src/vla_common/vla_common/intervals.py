# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Confidence intervals of shares and rates, and whether two of them differ."""

import math

Z = 1.959964
"""Of 95 %."""


def wilson(successes: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    z, p = Z, successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    # Rounding may leave the share itself outside by one bit.
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def difference_of_shares(a: tuple[int, int], b: tuple[int, int]) -> tuple[float, float]:
    """95 % interval of share b minus share a, each (successes, count).

    Newcombe (1998), method 10: from the Wilson intervals of both. Without cases: -1 to 1.
    """
    if not a[1] or not b[1]:
        return -1.0, 1.0
    p, q = a[0] / a[1], b[0] / b[1]
    (low_p, high_p), (low_q, high_q) = wilson(*a), wilson(*b)
    below = math.hypot(q - low_q, high_p - p)
    above = math.hypot(high_q - q, p - low_p)
    return max(-1.0, q - p - below), min(1.0, q - p + above)


def rate(events: int, hours: float) -> tuple[float, float]:
    """95 % interval of a rate per hour from a number of events (Garwood, 1936: exact Poisson)."""
    if hours <= 0.0:
        return 0.0, math.inf

    def tail(mean: float, most: int) -> float:
        """Probability of at most `most` events."""
        term = total = math.exp(-mean)
        for k in range(1, most + 1):
            term *= mean / k
            total += term
        return total

    def solve(most: int, wanted: float) -> float:
        low, high = 0.0, most + 10.0 + 8.0 * math.sqrt(most + 1.0)
        for _ in range(80):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if tail(middle, most) > wanted else (low, middle)
        return 0.5 * (low + high)

    if events > 500:  # exp(-mean) leaves the range of floats; the normal interval is as good
        half = Z * math.sqrt(events)
        return max(0.0, events - half) / hours, (events + half) / hours
    low = 0.0 if events == 0 else solve(events - 1, 0.975)
    return low / hours, solve(events, 0.025) / hours


def rates_differ(a: int, hours_a: float, b: int, hours_b: float) -> float:
    """Probability of a split of the events at least as uneven, were both rates equal.

    Exact conditional test of two Poisson rates (Przyborowski and Wilenski, 1940), two-sided: twice
    the smaller tail. 1 without events, or without time.
    """
    n = a + b
    if not n or hours_a <= 0.0 or hours_b <= 0.0:
        return 1.0
    p = hours_b / (hours_a + hours_b)

    def log_term(k: int) -> float:
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        return ways + k * math.log(p) + (n - k) * math.log1p(-p)

    below = sum(math.exp(log_term(k)) for k in range(b + 1))
    above = sum(math.exp(log_term(k)) for k in range(b, n + 1))
    return min(1.0, 2.0 * min(below, above))
