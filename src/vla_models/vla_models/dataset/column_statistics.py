# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LeRobot's statistics of a column: min, max, mean, std (of the population), count of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

KEYS = ('min', 'max', 'mean', 'std', 'count')
Statistics = dict[str, np.ndarray]
"""By `KEYS`. count is (1,), the others are shaped like one frame's value."""


def statistics_of(values: np.ndarray) -> Statistics:
    """Of a column (F, …); a number in each frame gives (1,)."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    return {
        'min': rows.min(0),
        'max': rows.max(0),
        'mean': rows.mean(0),
        'std': rows.std(0),
        'count': np.array([len(rows)]),
    }


def combined(parts: Sequence[Statistics]) -> Statistics:
    """The statistics of all frames from those of parts."""
    mean, std, count = (
        np.array([part[key] for part in parts], np.float64) for key in ('mean', 'std', 'count')
    )
    share = (count.ravel() / count.sum()).reshape(-1, *[1] * (mean.ndim - 1))
    middle = (share * mean).sum(0)
    spread = np.sqrt(np.maximum((share * (std**2 + mean**2)).sum(0) - middle**2, 0.0))
    return {
        'min': np.min([part['min'] for part in parts], axis=0),
        'max': np.max([part['max'] for part in parts], axis=0),
        'mean': middle,
        'std': spread,
        'count': np.array([int(count.sum())]),
    }


class PixelStatistics:
    """Statistics of images: in [0, 1], one value for each channel, shaped (3, 1, 1)."""

    def __init__(self) -> None:
        self._count = np.zeros((3, 256), np.int64)
        self._frames = 0

    def add(self, image: np.ndarray) -> None:
        """Add a frame (H, W, 3), uint8."""
        for channel in range(3):
            self._count[channel] += np.bincount(image[..., channel].ravel(), minlength=256)
        self._frames += 1

    def result(self) -> Statistics:
        """Of the frames so far, at least one."""
        levels = np.arange(256) / 255.0
        share = self._count / self._count.sum(1, keepdims=True)
        mean = share @ levels
        spread = np.sqrt(np.maximum(share @ levels**2 - mean**2, 0.0))
        present = [levels[row > 0] for row in self._count]
        values = {
            'min': [found[0] for found in present],
            'max': [found[-1] for found in present],
            'mean': mean,
            'std': spread,
        }
        shaped = {key: np.reshape(value, (3, 1, 1)) for key, value in values.items()}
        return {**shaped, 'count': np.array([self._frames])}
