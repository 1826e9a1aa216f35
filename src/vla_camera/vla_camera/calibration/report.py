# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One picture of a calibration: where the corners were, how well they fit, what the lens does."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vla_camera.calibration.intrinsics import CELLS, Intrinsics, covered_cells
from vla_camera.lens import normalized, rms
from vla_camera.source import Calibration

BLUE, GREEN, RED = '#0072b2', '#009e73', '#d55e00'  # Okabe and Ito 2008


def summary(name: str, result: Intrinsics) -> list[str]:
    """The numbers, as lines."""
    c, (width, height) = result.calibration, result.size
    field = 2.0 * np.degrees(np.arctan(0.5 * width / c.fx))
    lines = [
        f'{name}: {width} x {height} px, {c.model}',
        f'fx {c.fx:.2f}, fy {c.fy:.2f}, cx {c.cx:.2f}, cy {c.cy:.2f} px ({field:.0f} degrees)',
        'distortion ' + ', '.join(f'{d:.5f}' for d in c.distortion),
        f'residual {result.residual:.3f} px, of views not used {result.held_out:.3f} px',
        f'focal length between the folds: {100 * result.focal_spread:.3f} %',
        f'{len(result.views)} views, {result.covered:.0%} of the image, angles up to '
        f'{result.angle:.0f} degrees',
    ]
    if result.left_out:
        lines.append('left out, they do not fit the others: ' + ', '.join(result.left_out))
    return lines


def draw(path: Path, name: str, result: Intrinsics) -> None:
    """Write the picture as PNG."""
    figure = Figure(figsize=(10.5, 7.6), layout='tight')
    (corners, errors), (views, lens) = figure.subplots(2, 2)
    _corners(corners, result)
    _errors(errors, result)
    _views(views, result)
    _lens(lens, result.calibration, result.size)
    figure.suptitle('\n'.join(summary(name, result)[:4]), fontsize=9, family='monospace')
    figure.savefig(path, format='png', dpi=80)


def _image_axes(axes: Axes, size: tuple[int, int], title: str) -> None:
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect='equal', title=title)
    axes.set(xlabel='px', ylabel='px')


def _corners(axes: Axes, result: Intrinsics) -> None:
    """Residuals in the image, magnified; cells without a corner are marked."""
    width, height = result.size
    _image_axes(axes, result.size, 'corners and residuals (magnified)')
    cell = width / CELLS[0], height / CELLS[1]
    for row, column in np.argwhere(~covered_cells(result.views, result.size)):
        place = (column * cell[0], row * cell[1])
        axes.add_patch(Rectangle(place, *cell, color=RED, alpha=0.25, linewidth=0))
    pixels = np.concatenate([view.pixels for view in result.views])
    errors = np.concatenate(result.errors)
    scale = 0.03 * width / max(result.residual, 1e-6)
    axes.quiver(
        *pixels.T, *(scale * errors).T, angles='xy', scale_units='xy', scale=1.0, width=0.002,
        color=BLUE,
    )  # fmt: skip
    axes.text(
        0.02, 0.03, f'an arrow of {0.1 * width:.0f} px is {0.1 * width / scale:.2f} px',
        fontsize=8, transform=axes.transAxes,
        bbox={'facecolor': 'white', 'linewidth': 0, 'pad': 1.5},
    )  # fmt: skip


def _errors(axes: Axes, result: Intrinsics) -> None:
    """A cloud around zero; a pattern in it is a model that does not fit."""
    errors = np.concatenate(result.errors)
    axes.plot(*errors.T, '.', markersize=2, color=BLUE)
    for share in (0.5, 0.95):
        radius = float(np.quantile(np.linalg.norm(errors, axis=1), share))
        turn = np.linspace(0.0, 2.0 * np.pi)
        axes.plot(
            radius * np.cos(turn), radius * np.sin(turn), color=RED, linewidth=1,
            label=f'{share:.0%} within {radius:.2f} px',
        )  # fmt: skip
    axes.set(aspect='equal', title='residuals', xlabel='px', ylabel='px')
    axes.legend(fontsize=8, loc='upper right')


def _views(axes: Axes, result: Intrinsics) -> None:
    each = [rms(errors) for errors in result.errors]
    axes.bar(range(len(each)), each, color=BLUE)
    axes.axhline(result.residual, color=GREEN, label=f'all {result.residual:.3f} px')
    axes.axhline(
        result.held_out, color=RED, linestyle='--', label=f'not used {result.held_out:.3f} px'
    )
    axes.set(title='residual of each view', xlabel='view', ylabel='px')
    axes.legend(fontsize=8)


def _lens(axes: Axes, c: Calibration, size: tuple[int, int]) -> None:
    """How far the distortion moves a pixel."""
    grid = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 40) for n in size)), 2)
    pixels = grid.reshape(-1, 2)
    straight = normalized(c, pixels) * (c.fx, c.fy) + (c.cx, c.cy)
    moved = np.linalg.norm(straight - pixels, axis=1).reshape(grid.shape[:2])
    _image_axes(axes, size, 'distortion, px')
    levels = axes.contour(grid[..., 0], grid[..., 1], moved, 8, colors=BLUE, linewidths=1)
    axes.clabel(levels, fontsize=8)
    axes.plot(c.cx, c.cy, '+', color=RED, markersize=12, label='principal point')
    axes.legend(fontsize=8, loc='upper right')
