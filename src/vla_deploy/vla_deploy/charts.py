# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Charts of the reports, drawn with matplotlib and written atomically."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vla_deploy.atomic_io import write_whole

COLORS = {'plain': '#4682b4', 'best': '#3c9650', 'bad': '#c8aaaa'}
INCH = 100  # pixels


def new_chart(width: int, height: int, title: str) -> tuple[Figure, Axes]:
    """An empty chart of width x height pixels."""
    figure = Figure(figsize=(width / INCH, height / INCH), dpi=INCH, layout='constrained')
    axes = figure.subplots()
    axes.set_title(title, loc='left', fontsize=11)
    axes.grid(color='#dddddd')
    axes.set_axisbelow(True)
    return figure, axes


def write_chart(path: Path, figure: Figure) -> None:
    """Write a PNG. Raises OSError, which names the file."""
    content = io.BytesIO()
    figure.savefig(content, format='png')
    write_whole(path, content.getvalue())


@dataclass(frozen=True)
class Bar:
    """A row: a value with a whisker up to `tail`, a remark at its right. kind: plain, best, bad."""

    label: str
    value: float
    tail: float
    remark: str = ''
    kind: str = 'plain'


def draw_bars(path: Path, title: str, unit: str, bars: Sequence[Bar]) -> None:
    """Horizontal bars from zero, in `unit`."""
    figure, axes = new_chart(900, 100 + 30 * len(bars), title)
    # One late call must not squeeze all bars: a longer whisker is cut and labeled with its value.
    top = max(1e-9, 1.6 * max(bar.value for bar in bars))
    for row, bar in enumerate(bars):
        axes.barh(row, bar.value, color=COLORS[bar.kind], height=0.6)
        end = min(bar.tail, top)
        axes.plot([bar.value, end], [row, row], color='#282828', linewidth=1)
        axes.plot(end, row, '>' if bar.tail > top else '|', color='#282828')
        if bar.tail > top:
            axes.annotate(f'{bar.tail:.3g}', (0.97 * top, row - 0.12), ha='right', fontsize=8)
        remark = (1.01, row)
        axes.annotate(bar.remark, remark, xycoords=('axes fraction', 'data'), va='center')
    axes.set_xlim(0, top)
    axes.set_yticks(range(len(bars)), [bar.label[:32] for bar in bars])
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    write_chart(path, figure)


@dataclass(frozen=True)
class Dot:
    """A named point."""

    label: str
    x: float
    y: float
    kind: str = 'plain'


def draw_scatter(path: Path, title: str, axes_titles: tuple[str, str], dots: Sequence[Dot]) -> None:
    """Both axes logarithmic. Values that are not positive are drawn at the smallest positive one,
    infinite ones at the largest finite one."""
    figure, axes = new_chart(900, 460, title)
    xs, ys = (_log_values([getattr(dot, name) for dot in dots]) for name in 'xy')
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.scatter(xs, ys, c=[COLORS[dot.kind] for dot in dots], s=50, zorder=3)
    axes.margins(0.15)
    axes.set_xlabel(axes_titles[0])
    axes.set_ylabel(axes_titles[1])
    # Labels of close points are moved apart, in pixels from the bottom up.
    pixels = axes.transData.transform(np.column_stack([xs, ys]))
    taken: list[tuple[float, float]] = []
    for i in np.argsort(pixels[:, 1]):
        x, y = pixels[i]
        while any(abs(x - other) < 130 and abs(y - level) < 13 for other, level in taken):
            y += 13
        taken.append((x, y))
        line = {'arrowstyle': '-', 'color': '#bbbbbb'} if y - pixels[i][1] > 13 else None
        shift = (8, (y - pixels[i][1]) * 72 / INCH - 3)
        axes.annotate(
            dots[i].label, (xs[i], ys[i]), shift, textcoords='offset points', fontsize=8,
            arrowprops=line,
        )  # fmt: skip
    write_chart(path, figure)


def _log_values(values: Sequence[float]) -> np.ndarray:
    data = np.asarray(values, float)
    usable = data[(data > 0) & np.isfinite(data)]
    low, high = (usable.min(), usable.max()) if len(usable) else (1.0, 1.0)
    return np.clip(np.nan_to_num(data, nan=high, posinf=high, neginf=low), low, high)
