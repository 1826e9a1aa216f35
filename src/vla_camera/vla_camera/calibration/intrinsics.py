# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Intrinsics of a camera from views of a board (Zhang 2000, by OpenCV), and how far to trust them.

A small residual alone proves nothing: boards that are all parallel, or seen in the middle of the
image only, fit perfectly with a wrong focal length. So the set of views is checked first, and the
result on views that had no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vla_camera.calibration.board import Board, View
from vla_camera.calibration.views import ViewSet
from vla_camera.calibration_file import COEFFICIENTS
from vla_camera.lens import FISHEYE, board_pose, camera_matrix, project, rms
from vla_camera.source import Calibration
from vla_common.errors import ConfigError

FEWEST_VIEWS = 8
LEAST_ANGLE = 15.0
"""degrees between the two most different normals of the board."""
LEAST_COVERED = 0.5
"""Share of the cells of the image with a corner of some view."""
CELLS = (6, 4)  # columns, rows
WORST_RMS = 1.0  # px
WORST_FOCAL = 0.01
"""Spread of the focal length between the folds, as a share of it."""
OUTLIER = 3.0
"""A view with this many times the median residual is left out."""
LEAST_OUTLIER = 0.5  # px
FOLDS = 5
FLAGS = {'plumb_bob': 0, 'rational_polynomial': cv2.CALIB_RATIONAL_MODEL, FISHEYE: 0}
"""Of OpenCV, by distortion model."""


@dataclass(frozen=True)
class Intrinsics:
    """Result. residual, held_out: RMS reprojection error (px) of all views, and of views that had
    no part in the fit. focal_spread: of the focal length between the folds, as a share. errors:
    pixels (n, 2) of each view; poses: rvec, tvec (m) of the board in the camera. left_out: names of
    views that do not fit the others."""

    calibration: Calibration
    size: tuple[int, int]
    views: tuple[View, ...]
    residual: float
    held_out: float
    focal_spread: float
    errors: tuple[np.ndarray, ...]
    poses: tuple[tuple[np.ndarray, np.ndarray], ...]
    covered: float
    angle: float
    left_out: tuple[str, ...]


def calibrate(found: ViewSet, board: Board, model: str = 'plumb_bob') -> Intrinsics:
    """Intrinsics from a set of views.

    Raises ConfigError: too few views, all from one angle, too little of the image covered, or a
    result that does not predict views which had no part in it.
    """
    views, place = list(found.views), found.place
    if len(views) < FEWEST_VIEWS:
        total = len(views) + len(found.missed)
        what = f'{len(views)} of {total} images with the board'
        raise ConfigError(place, 'views', what, f'at least {FEWEST_VIEWS}')
    covered = float(covered_cells(views, found.size).mean())
    if covered < LEAST_COVERED:
        wanted = f'at least {LEAST_COVERED:.0%}: views at the edges and in the corners'
        raise ConfigError(place, 'covered image', f'{covered:.0%}', wanted)
    fitted, errors = _fit_and_judge(board, views, found.size, model, place)
    # Parallel boards look parallel through any focal length, but not through a lens whose
    # distortion is ignored; and what is fitted to them alone may be any lens. The lower of both.
    angle = min(_largest_angle(lens, board, views) for lens in (pinhole_guess(found.size), fitted))
    if angle < LEAST_ANGLE:
        what = f'all views within {angle:.0f} degrees'
        raise ConfigError(place, 'angles of the board', what, f'{LEAST_ANGLE:.0f}, better 40')
    each = np.array([rms(e) for e in errors])
    worst = max(LEAST_OUTLIER, OUTLIER * float(np.median(each)))
    kept = [view for view, error in zip(views, each, strict=True) if error <= worst]
    left_out = tuple(view.name for view in views if view not in kept)
    if left_out and len(kept) >= FEWEST_VIEWS:
        views = kept
        fitted, errors = _fit_and_judge(board, views, found.size, model, place)
    residual = rms(np.concatenate(errors))
    held_out, spread = _cross_validated(board, views, found.size, model, place)
    for key, value in (('residual', residual), ('residual of views not used', held_out)):
        if not value <= WORST_RMS:
            wanted = f'at most {WORST_RMS:g} px: a flat board, measured sides, sharp images'
            raise ConfigError(place, key, f'{value:.2f} px', wanted)
    if not spread <= WORST_FOCAL:
        wanted = f'at most {WORST_FOCAL:.0%}: more views, tilted more, near and far'
        raise ConfigError(place, 'spread of the focal length', f'{spread:.1%}', wanted)
    poses = tuple(board_pose(fitted, board.points(v), v.pixels)[:2] for v in views)
    return Intrinsics(
        fitted, found.size, tuple(views), residual, held_out, spread, errors, poses, covered,
        angle, left_out,
    )  # fmt: skip


def covered_cells(views: Sequence[View], size: tuple[int, int]) -> np.ndarray:
    """bool (rows, columns): which cells of the image have a corner."""
    seen = np.zeros(CELLS[::-1], bool)
    for view in views:
        cell = np.floor(view.pixels / np.array(size) * CELLS).astype(int)
        column, row = np.clip(cell, 0, np.array(CELLS) - 1).T
        seen[row, column] = True
    return seen


def refit(
    board: Board, views: Sequence[View], size: tuple[int, int], before: Calibration
) -> tuple[Calibration, float]:
    """The calibration `before` with focal lengths and principal point fitted to these views, its
    distortion kept; and the standard deviation of the focal length, px (0 for fisheye lenses,
    where OpenCV gives none)."""
    objects, images = _arrays(board, views)
    k, d = camera_matrix(before), np.array(before.distortion)
    fixed = cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    if before.model == FISHEYE:
        fixed |= cv2.CALIB_FIX_K4 | cv2.CALIB_FIX_SKEW | cv2.CALIB_RECOMPUTE_EXTRINSIC
        _, k, _, _, _ = cv2.fisheye.calibrate(*_fisheye(objects, images), size, k, d, flags=fixed)
        deviation = 0.0
    else:
        fixed |= cv2.CALIB_FIX_ASPECT_RATIO | cv2.CALIB_FIX_TANGENT_DIST | FLAGS[before.model]
        fixed |= cv2.CALIB_FIX_K4 | cv2.CALIB_FIX_K5 | cv2.CALIB_FIX_K6
        _, k, _, _, _, deviations, _, _ = cv2.calibrateCameraExtended(
            objects, images, size, k, d, flags=fixed
        )
        deviation = float(deviations[1, 0])
    return replace(before, fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2]), deviation


def _fit_and_judge(
    board: Board, views: Sequence[View], size: tuple[int, int], model: str, place: str
) -> tuple[Calibration, tuple[np.ndarray, ...]]:
    fitted = _fit(board, views, size, model, place)
    return fitted, tuple(_errors(fitted, board, view) for view in views)


def _fit(
    board: Board, views: Sequence[View], size: tuple[int, int], model: str, place: str
) -> Calibration:
    objects, images = _arrays(board, views)
    try:
        if model == FISHEYE:
            flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW
            _, k, d, _, _ = cv2.fisheye.calibrate(
                *_fisheye(objects, images), size, np.eye(3), np.zeros(4), flags=flags
            )
        else:
            _, k, d, _, _ = cv2.calibrateCamera(
                objects, images, size, np.eye(3), np.zeros(5), flags=FLAGS[model]
            )
    except cv2.error as error:
        why = ' '.join(str(error).split())[-120:]
        raise ConfigError(place, 'views', f'no solution ({why})', 'other views') from error
    count = COEFFICIENTS[model]
    numbers = (k[0, 0], k[1, 1], k[0, 2], k[1, 2], *d.ravel()[:count])
    if not (np.isfinite(numbers).all() and k[0, 0] > 0.0 and k[1, 1] > 0.0):
        raise ConfigError(place, 'views', 'no finite solution', 'other views')
    fx, fy, cx, cy, *distortion = map(float, numbers)
    return Calibration(fx, fy, cx, cy, model, tuple(distortion))


def _arrays(board: Board, views: Sequence[View]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    objects = [board.points(view).astype(np.float32) for view in views]
    return objects, [view.pixels.astype(np.float32) for view in views]


def _fisheye(
    objects: Sequence[np.ndarray], images: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """As `cv2.fisheye` wants them."""
    points = [o.reshape(1, -1, 3).astype(float) for o in objects]
    return points, [i.reshape(1, -1, 2).astype(float) for i in images]


def _errors(c: Calibration, board: Board, view: View) -> np.ndarray:
    points = board.points(view)
    rvec, tvec, _ = board_pose(c, points, view.pixels)
    return view.pixels - project(c, points, rvec, tvec)


def _cross_validated(
    board: Board, views: Sequence[View], size: tuple[int, int], model: str, place: str
) -> tuple[float, float]:
    """RMS error (px) of views that were not fitted, and the spread of the focal length."""
    errors, focal = [], []
    for fold in range(FOLDS):
        rest = [view for i, view in enumerate(views) if i % FOLDS != fold]
        fitted = _fit(board, rest, size, model, place)
        focal.append(np.sqrt(fitted.fx * fitted.fy))
        errors += [_errors(fitted, board, view) for view in views[fold::FOLDS]]
    return rms(np.concatenate(errors)), float(np.std(focal) / np.mean(focal))


def pinhole_guess(size: tuple[int, int]) -> Calibration:
    """A camera of 53 degrees without distortion, for what needs no calibration."""
    width, height = size
    return Calibration(float(width), float(width), (width - 1) / 2.0, (height - 1) / 2.0)


def _largest_angle(lens: Calibration, board: Board, views: Sequence[View]) -> float:
    """Degrees between the two most different normals of the board, seen through a lens."""
    rvecs = [board_pose(lens, board.points(view), view.pixels)[0] for view in views]
    normals = np.array([cv2.Rodrigues(rvec)[0][:, 2] for rvec in rvecs])
    return float(np.degrees(np.arccos(np.clip(normals @ normals.T, -1.0, 1.0))).max())
