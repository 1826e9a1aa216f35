# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Convex polygons in the plane."""

import math

import numpy as np
from numpy.typing import ArrayLike

ROUNDING = 1e-9  # m


def convex_hull(points: ArrayLike) -> np.ndarray:
    """Corners (h, 2) of the hull of points (k, 2), counter-clockwise (Andrew's monotone chain).

    Corners on a straight line, within rounding, are left out.
    """
    pairs = np.asarray(points, dtype=float).reshape(-1, 2).tolist()
    ordered = sorted({(round(x, 9), round(y, 9)) for x, y in pairs})
    if len(ordered) <= 2:
        return np.array(ordered).reshape(-1, 2)

    def half(sequence: list[tuple[float, float]]) -> list[tuple[float, float]]:
        chain: list[tuple[float, float]] = []
        for p in sequence:
            while len(chain) >= 2 and _bulge(chain[-2], chain[-1], p) <= ROUNDING:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))


def signed_margin(polygon: np.ndarray, point: np.ndarray) -> float:
    """Distance (m) of a point from the border of a convex, counter-clockwise polygon (k, 2).

    Positive inside, negative outside, -inf for an empty polygon.
    """
    corners = polygon.tolist()
    if not corners:
        return -math.inf
    x, y = float(point[0]), float(point[1])
    nearest, inside = math.inf, len(corners) >= 3
    # A foot has few corners: plain Python takes a fifth of NumPy's time.
    for i, (ax, ay) in enumerate(corners):
        bx, by = corners[i + 1 - len(corners)]
        ex, ey, px, py = bx - ax, by - ay, x - ax, y - ay
        length2 = ex * ex + ey * ey
        # An edge shorter than rounding is a point.
        along = (px * ex + py * ey) / length2 if length2 >= 1e-18 else 0.0
        along = min(max(along, 0.0), 1.0)
        nearest = min(nearest, math.hypot(px - along * ex, py - along * ey))
        inside = inside and ex * py - ey * px >= 0.0
    return nearest if inside else -nearest


def _bulge(o: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    """m that a is to the right of the line from o to b: negative where o, a, b turn right."""
    x, y = b[0] - o[0], b[1] - o[1]
    return ((a[0] - o[0]) * y - (a[1] - o[1]) * x) / math.hypot(x, y)
