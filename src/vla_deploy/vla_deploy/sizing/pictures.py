# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The two pictures of `fit`: ranges of latency, and the rooflines with the bundle on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from vla_deploy.atomic_io import write_picture
from vla_deploy.sizing.advice import Advice, Fits
from vla_deploy.sizing.graph_cost import GraphCost

_FONT, _INK, _GREY = cv2.FONT_HERSHEY_SIMPLEX, (40, 40, 40), (205, 205, 205)
_COLOURS = {Fits.YES: (80, 150, 60), Fits.PERHAPS: (60, 160, 220), Fits.NO: (80, 80, 200)}
_WIDTH, _LEFT, _RIGHT, _ROW = 940, 210, 180, 30


def draw_ranges(path: Path, advice: Sequence[Advice], period_ms: float) -> None:
    """Milliseconds, logarithmic: the range as a bar, the expected time as a tick, the period as a
    line."""
    lows = [a.chosen.low_ms for a in advice]
    highs = [a.chosen.high_ms for a in advice]
    low = math.floor(math.log10(min(*lows, period_ms)))
    high = math.ceil(math.log10(max(*highs, period_ms) * 1.01))
    height = 80 + _ROW * len(advice) + 30
    image = np.full((height, _WIDTH, 3), 255, np.uint8)

    def at(value: float) -> int:
        share = (math.log10(max(value, 10.0**low)) - low) / max(1, high - low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))

    _text(image, 'one chunk: estimated range, the tick is expected, the line is the period', 14, 28)
    for power in range(low, high + 1):
        x = at(10.0**power)
        cv2.line(image, (x, 46), (x, height - 30), _GREY, 1)
        _text(image, f'{10.0**power:g} ms', x - 18, height - 12, 0.4)
    cv2.line(image, (at(period_ms), 46), (at(period_ms), height - 30), (60, 60, 200), 2)
    for number, one in enumerate(advice):
        y = 64 + _ROW * number
        colour = _COLOURS[one.fits]
        cv2.rectangle(
            image, (at(one.chosen.low_ms), y - 8), (at(one.chosen.high_ms), y + 8), colour, -1
        )
        x = at(one.chosen.expected_ms)
        cv2.line(image, (x, y - 10), (x, y + 10), _INK, 2)
        _text(image, one.device.name, 10, y + 5, 0.45)
        _text(image, f'{one.chosen.precision}, {one.chosen.binds}', _WIDTH - _RIGHT + 6, y + 5, 0.4)
    write_picture(path, image)


def draw_rooflines(path: Path, cost: GraphCost, advice: Sequence[Advice]) -> None:
    """Operations a second over operations per byte, both logarithmic; the bundle is the vertical
    line, its attainable rate on each device a dot."""
    height, margin = 520, 70
    image = np.full((height, _WIDTH, 3), 255, np.uint8)
    x_low, x_high, y_low, y_high = -1.0, 4.0, 9.0, 15.5
    right = _WIDTH - _RIGHT

    def at(intensity: float, rate: float) -> tuple[int, int]:
        x = (math.log10(intensity) - x_low) / (x_high - x_low)
        y = (math.log10(rate) - y_low) / (y_high - y_low)
        return (
            round(margin + min(max(x, 0), 1) * (right - margin)),
            round(height - margin - min(max(y, 0), 1) * (height - 2 * margin)),
        )

    _text(image, 'rooflines in the chosen precision, and where this bundle is', 14, 28)
    for power in range(int(x_low), int(x_high) + 1):
        x = at(10.0**power, 1e9)[0]
        cv2.line(image, (x, margin), (x, height - margin), _GREY, 1)
        _text(image, f'{10.0**power:g}', x - 10, height - margin + 18, 0.4)
    for power in range(9, 16):
        y = at(1.0, 10.0**power)[1]
        cv2.line(image, (margin, y), (right, y), _GREY, 1)
        _text(image, f'1e{power}', 22, y + 4, 0.4)
    _text(image, 'operations per byte of weights and of what goes in and out', 200, height - 20)
    _text(image, 'operations/s', 14, margin - 14, 0.4)
    taken: list[int] = []
    for one in sorted(advice, key=lambda a: -a.device.tops[a.chosen.precision].value):
        device, precision = one.device, one.chosen.precision
        peak = 1e12 * device.tops[precision].value
        bandwidth = 1e9 * device.bandwidth_gbs.value
        ridge = peak / bandwidth
        colour = _COLOURS[one.fits]
        start = max(10.0**x_low, 10.0**y_low / bandwidth)
        points = [at(start, start * bandwidth), at(ridge, peak), at(10.0**x_high, peak)]
        for a, b in pairwise(points):
            cv2.line(image, a, b, colour, 1, cv2.LINE_AA)
        width = 4 / {'fp32': 4, 'fp16': 2, 'bf16': 2}.get(precision, 1)
        intensity = cost.intensity * width
        cv2.circle(image, at(intensity, min(peak, intensity * bandwidth)), 4, colour, -1)
        y = points[-1][1] + 4
        while any(abs(y - other) < 12 for other in taken):
            y += 12
        taken.append(y)
        _text(image, device.name, right + 8, y, 0.38)
    write_picture(path, image)


def _text(image: np.ndarray, text: str, x: int, y: int, size: float = 0.5) -> None:
    plain = text.encode('ascii', 'replace').decode()
    cv2.putText(image, plain, (x, y), _FONT, size, _INK, 1, cv2.LINE_AA)
