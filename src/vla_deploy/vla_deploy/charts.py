# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The pictures of the reports, drawn with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vla_deploy.atomic_io import write_picture

_FONT, _INK, _GREY = cv2.FONT_HERSHEY_SIMPLEX, (40, 40, 40), (205, 205, 205)
_PLAIN, _BEST, _BAD = (180, 130, 70), (80, 150, 60), (170, 170, 200)
_WIDTH, _LABELS, _RIGHT, _ROW = 900, 250, 150, 30


@dataclass(frozen=True)
class Bar:
    """One row: a value with a whisker up to `tail`, a remark at its right, drawn in the colour of
    `kind`: plain, best or bad."""

    label: str
    value: float
    tail: float
    remark: str = ''
    kind: str = 'plain'


def draw_bars(path: Path, title: str, unit: str, bars: Sequence[Bar]) -> None:
    """A horizontal bar for each row, from zero; values in `unit`."""
    rows = 70 + _ROW * len(bars) + 30
    image = np.full((rows, _WIDTH, 3), 255, np.uint8)
    room = _WIDTH - _LABELS - _RIGHT
    # A single late call must not squeeze all the bars: a tail beyond is cut, and says so.
    top = max(1e-9, 1.6 * max(bar.value for bar in bars))
    _text(image, title, (14, 28), 0.6)
    for share in np.linspace(0, 1, 5):
        x = round(_LABELS + room * share)
        cv2.line(image, (x, 46), (x, rows - 30), _GREY, 1)
        _text(image, f'{share * top:.3g}', (x - 10, rows - 12), 0.4)
    _text(image, unit, (_WIDTH - _RIGHT + 70, rows - 12), 0.4)
    for number, bar in enumerate(bars):
        y = 62 + _ROW * number
        end = round(_LABELS + room * min(1.0, bar.value / top))
        tail = round(_LABELS + room * min(1.0, bar.tail / top))
        colour = {'best': _BEST, 'bad': _BAD}.get(bar.kind, _PLAIN)
        cv2.rectangle(image, (_LABELS, y - 9), (end, y + 9), colour, -1)
        if bar.tail <= top:
            cv2.line(image, (end, y), (tail, y), _INK, 1)
            cv2.line(image, (tail, y - 5), (tail, y + 5), _INK, 1)
        else:  # it goes on beyond: an arrow, and how far
            cv2.arrowedLine(image, (end, y), (tail, y), _INK, 1, tipLength=7 / max(7, tail - end))
            beyond = f'{bar.tail:.3g}'
            wide = cv2.getTextSize(beyond, _FONT, 0.36, 1)[0][0]
            _text(image, beyond, (tail - wide - 8, y - 4), 0.36)
        _text(image, bar.label[:32], (10, y + 5), 0.45)
        _text(image, bar.remark, (_WIDTH - _RIGHT + 8, y + 5), 0.42)
    write_picture(path, image)


@dataclass(frozen=True)
class Dot:
    """A named point."""

    label: str
    x: float
    y: float
    kind: str = 'plain'


def draw_scatter(path: Path, title: str, axes: tuple[str, str], dots: Sequence[Dot]) -> None:
    """Both axes logarithmic; what is not above zero is drawn at the smallest that is."""
    height, margin = 460, 70
    image = np.full((height, _WIDTH, 3), 255, np.uint8)
    spans = []
    for values in ([d.x for d in dots], [d.y for d in dots]):
        positive = [v for v in values if v > 0 and np.isfinite(v)] or [1.0]
        low, high = np.log10(min(positive)), np.log10(max(positive))
        pad = max(0.15, 0.1 * (high - low))
        spans.append((low - pad, high + pad))

    def place(dot: Dot) -> tuple[int, int]:
        shares = []
        for value, (low, high) in zip((dot.x, dot.y), spans, strict=True):
            exponent = np.log10(value) if 0 < value < np.inf else (low if value <= 0 else high)
            shares.append(float(np.clip((exponent - low) / (high - low), 0, 1)))
        return (
            round(margin + shares[0] * (_WIDTH - 2 * margin - 120)),
            round(height - margin - shares[1] * (height - 2 * margin)),
        )

    _text(image, title, (14, 28), 0.6)
    cv2.rectangle(image, (margin, margin), (_WIDTH - margin - 120, height - margin), _GREY, 1)
    for i, (low, high) in enumerate(spans):
        for share in np.linspace(0, 1, 4):
            value = f'{10 ** (low + share * (high - low)):.2g}'
            if i == 0:
                x = round(margin + share * (_WIDTH - 2 * margin - 120))
                _text(image, value, (x - 14, height - margin + 18), 0.4)
            else:
                y = round(height - margin - share * (height - 2 * margin))
                _text(image, value, (8, y + 4), 0.4)
    _text(image, axes[0], (_WIDTH // 2 - 60, height - 16), 0.45)
    _text(image, axes[1], (14, margin - 14), 0.45)
    centres = [place(dot) for dot in dots]
    for dot, (x, y) in zip(dots, centres, strict=True):
        colour = {'best': _BEST, 'bad': _BAD}.get(dot.kind, _PLAIN)
        cv2.circle(image, (x, y), 6, colour, -1, cv2.LINE_AA)
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in centres]
    for dot, (x, y) in zip(dots, centres, strict=True):
        box = _free_box(dot.label, x, y, taken, (margin, 40, _WIDTH - 4, height - margin))
        taken.append(box)
        left, top, right, bottom = box
        if abs(top + bottom - 2 * y) > 24:  # not beside its dot: a line shows whose it is
            end = (int(np.clip(x, left, right)), int(np.clip(y, top, bottom)))
            cv2.line(image, (x, y), end, _GREY, 1, cv2.LINE_AA)
        _text(image, dot.label, (left, bottom - 3), 0.4)
    write_picture(path, image)


def _free_box(
    label: str, x: int, y: int, taken: Sequence[tuple], room: tuple
) -> tuple[int, int, int, int]:
    """The nearest place for a label (left, top, right, bottom) at the dot (x, y) that covers
    nothing of `taken`; beside the dot where there is none."""
    (wide, _), _ = cv2.getTextSize(label, _FONT, 0.4, 1)
    beside = (x + 10, y - 7, x + 10 + wide, y + 7)
    for rise in sorted(range(-112, 113, 14), key=abs):
        for left in (x + 10, x - 10 - wide):
            box = (left, y - 7 + rise, left + wide, y + 7 + rise)
            inside = box[0] >= room[0] and box[1] >= room[1] and box[2] <= room[2]
            if inside and box[3] <= room[3] and not any(_overlap(box, other) for other in taken):
                return box
    return beside


def _overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _text(image: np.ndarray, text: str, where: tuple[int, int], size: float) -> None:
    plain = text.encode('ascii', 'replace').decode()
    cv2.putText(image, plain, where, _FONT, size, _INK, 1, cv2.LINE_AA)
