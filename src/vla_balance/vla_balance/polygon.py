# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Convex polygons in the plane."""

from __future__ import annotations

import math

import numpy as np

ROUNDING = 1e-9  # m


def convex_hull(points: np.ndarray) -> np.ndarray:
    """The hull's corners (h, 2) of points (k, 2), counter-clockwise (Andrew's monotone chain);
    corners on a straight line, within rounding, are left out."""
    ordered = sorted({(round(float(x), 9), round(float(y), 9)) for x, y in points})
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
    """Distance (m) of a point from the border of a convex, counter-clockwise polygon (k, 2):
    positive inside, negative outside, -inf for an empty polygon."""
    if len(polygon) == 0:
        return -np.inf
    if len(polygon) == 1:
        return -float(np.hypot(*(point - polygon[0])))
    ends = np.roll(polygon, -1, axis=0)
    edges = ends - polygon
    offsets = point - polygon
    lengths2 = np.einsum('ij,ij->i', edges, edges)
    # An edge shorter than rounding is a point.
    lengths2[lengths2 < 1e-18] = np.inf
    along = np.clip(np.einsum('ij,ij->i', offsets, edges) / lengths2, 0.0, 1.0)
    nearest = polygon + along[:, None] * edges
    distance = float(np.hypot(*(point - nearest).T).min())
    inside = len(polygon) >= 3 and bool(
        (edges[:, 0] * offsets[:, 1] - edges[:, 1] * offsets[:, 0] >= 0.0).all()
    )
    return distance if inside else -distance


def _bulge(o: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    """m that a lies to the right of the line from o to b: negative where o, a, b turn right."""
    x, y = b[0] - o[0], b[1] - o[1]
    return ((a[0] - o[0]) * y - (a[1] - o[1]) * x) / math.hypot(x, y)
