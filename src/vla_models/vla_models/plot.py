# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A loss curve as a PNG, drawn with OpenCV: no plotting library for one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

_SIZE = (480, 720)  # rows, columns
_MARGIN = 56
_COLOURS = {'train': (180, 90, 20), 'validation': (30, 60, 210)}  # BGR


def draw_losses(path: Path, curves: dict[str, list[float]]) -> None:
    """Write `curves` (name to one loss per validation, > 0) as a chart with a logarithmic axis."""
    rows, columns = _SIZE
    image = np.full((rows, columns, 3), 255, np.uint8)
    values = np.array([v for curve in curves.values() for v in curve if v > 0])
    if not values.size:
        return
    low, high = np.log10(values.min()) - 0.05, np.log10(values.max()) + 0.05
    length = max(2, max(len(curve) for curve in curves.values()))

    def place(number: int, value: float) -> tuple[int, int]:
        x = _MARGIN + (columns - 2 * _MARGIN) * number / (length - 1)
        y = rows - _MARGIN - (rows - 2 * _MARGIN) * (np.log10(value) - low) / (high - low)
        return round(x), round(y)

    grey = (200, 200, 200)
    for value in np.logspace(low, high, 6):
        y = place(0, value)[1]
        cv2.line(image, (_MARGIN, y), (columns - _MARGIN, y), grey, 1)
        cv2.putText(image, f'{value:.3g}', (4, y + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (60,) * 3, 1)
    for row, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS.get(name, (90, 90, 90))
        points = np.array([place(i, v) for i, v in enumerate(curve) if v > 0], np.int32)
        cv2.polylines(image, [points.reshape(-1, 1, 2)], False, colour, 2, cv2.LINE_AA)
        where = (columns - 200, 24 + 18 * row)
        label = f'{name} {curve[-1]:.4f}' if curve else name
        cv2.putText(image, label, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    caption = f'loss over {len(next(iter(curves.values())))} validations'
    where = (_MARGIN, rows - 20)
    cv2.putText(image, caption, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60,) * 3, 1, cv2.LINE_AA)
    cv2.imwrite(str(path), image)
