# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Plausibility of depth images: unit, content, and the floor that the robot stands on.

The floor is the one surface whose place a robot knows without a map. What is seen is on it or in
front of it: a measurement far behind the floor is of another unit, or of another pixel.
"""

import math

import numpy as np

from vla_inference.camera_pose import CameraPose

SAMPLES = 40  # per side of the image, about
LEAST_MEASURED = 0.01  # share of the pixels
NEAREST, FARTHEST = 0.02, 65.535  # m; the latter is the most that 16UC1 can hold
CONSTANT_FROM = 100  # measured samples; fewer may be equal
STEEP = math.sin(0.35)  # of a ray below the horizon; a flatter one meets the floor anywhere
BEHIND, MARGIN = 1.5, 0.1  # factor and m: errors of pose, mounting and calibration
MOST_BEHIND = 0.2  # share of the measured pixels on steep rays


def check_depth(name: str, depth: np.ndarray) -> None:
    """Raise ValueError, with the name of the stream, for a depth image (h, w) float32 m that
    cannot be one: nothing measured, one number everywhere, or the unit of the other encoding."""
    some = depth[_grid(depth)]
    measured = some[np.isfinite(some) & (some > 0.0)]
    if not measured.size >= max(1, LEAST_MEASURED * some.size):
        share = 100.0 * measured.size / some.size
        raise ValueError(f'{name} has a measurement in {share:.1f} % of its pixels, wanted 1 %')
    middle = float(np.median(measured))
    if not NEAREST <= middle <= FARTHEST:
        wrong = 'm in a message of mm' if middle < NEAREST else 'mm in a message of m'
        raise ValueError(
            f'{name} has a median of {middle:.3g} m, wanted {NEAREST} to 65.5: {wrong}?'
        )
    if measured.size >= CONSTANT_FROM and measured.min() == measured.max():
        raise ValueError(f'{name} is {middle:.3f} m in every pixel')


def beyond_floor(depth: np.ndarray, pose: CameraPose, focal: float) -> str:
    """What is wrong with a depth image (h, w) of a pose; empty if nothing is. focal: px."""
    if not pose.above_soles:
        return ''
    height, width = depth.shape
    rows, columns = _grid(depth)
    x = (np.arange(width)[columns] + 0.5 - 0.5 * width) / focal
    y = (np.arange(height)[rows] + 0.5 - 0.5 * height) / focal
    # World z of the ray of each sample, per m along the optical axis.
    right, down, ahead = pose.rotation[2]
    fall = -(right * x[None, :] + down * y[:, None] + ahead)
    steep = fall >= STEEP * np.sqrt(1.0 + x[None, :] ** 2 + y[:, None] ** 2)
    some = depth[rows, columns]
    steep &= np.isfinite(some) & (some > 0.0)
    count = int(steep.sum())
    if count < LEAST_MEASURED * some.size:
        return ''
    floor = pose.position[2] / fall[steep]
    share = float(np.mean(some[steep] > BEHIND * floor + MARGIN))
    if share <= MOST_BEHIND:
        return ''
    return (
        f'has {100.0 * share:.0f} % of its downward measurements behind the floor '
        f'({pose.position[2]:.2f} m below the camera): wrong unit, turned image, or wrong mounting?'
    )


def _grid(depth: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the samples."""
    rows, columns = (max(1, size // SAMPLES) for size in depth.shape)
    return slice(None, None, rows), slice(None, None, columns)
