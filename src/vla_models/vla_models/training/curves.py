# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The picture of a training run."""

from pathlib import Path

from matplotlib.figure import Figure


def draw_losses(path: Path, curves: dict[str, list[float]]) -> None:
    """A PNG of `curves`: name to one loss for each validation, on a logarithmic axis."""
    figure = Figure(figsize=(7.2, 4.8), layout='constrained')  # without pyplot: no global state
    axes = figure.subplots()
    for name, curve in curves.items():
        label = f'{name} {curve[-1]:.4f}' if curve else name
        axes.semilogy(range(1, len(curve) + 1), curve, label=label)
    axes.set(xlabel='validation', ylabel='loss')
    axes.grid(which='both', alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)
