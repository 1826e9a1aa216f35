# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_camera check`: does a calibration still hold for new images of the board?

Exit code 0: it holds, 1: it does not, 2: the images do not show it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_camera.calibration.board import Board, View, add_board_options
from vla_camera.calibration.intrinsics import refit
from vla_camera.calibration.views import image_files, lines_of, read_views
from vla_camera.calibration_file import read_lens
from vla_camera.lens import board_pose, project, rms
from vla_camera.source import Calibration
from vla_common import terminal
from vla_common.errors import ConfigError

FEWEST = 3
LARGEST_CHANGE = 0.01
"""Of the focal length; at 0.5 m it is an error of 5 mm in depth."""
LARGEST_SHIFT = 5.0  # px, of the principal point
CERTAIN = 3.0  # standard deviations


@dataclass(frozen=True)
class Check:
    """residuals: RMS reprojection error (px) of each view with the calibration. focal: the fitted
    focal length over that of the calibration; focal_deviation: its standard deviation. shift: of
    the principal point, px. wrong: what does not hold."""

    residuals: tuple[float, ...]
    focal: float
    focal_deviation: float
    shift: float
    wrong: tuple[str, ...]


def check(
    lens: Calibration, board: Board, views: Sequence[View], size: tuple[int, int], limit: float
) -> Check:
    """Reproject the board with a calibration, and fit its focal length and principal point again:
    a pose hides part of a wrong focal length. limit: px."""
    residuals, errors = [], []
    for view in views:
        points = board.points(view)
        rvec, tvec, residual = board_pose(lens, points, view.pixels)
        residuals.append(residual)
        errors.append(view.pixels - project(lens, points, rvec, tvec))
    now, deviation = refit(board, views, size, lens)
    focal, uncertain = now.fy / lens.fy, deviation / lens.fy
    shift = float(np.hypot(now.cx - lens.cx, now.cy - lens.cy))
    wrong = []
    if not (total := rms(np.concatenate(errors))) <= limit:
        wrong.append(f'residual {total:.2f} px, wanted at most {limit:g}')
    if not abs(focal - 1.0) <= max(LARGEST_CHANGE, CERTAIN * uncertain):
        wrong.append(f'focal length {focal:.3f} times that of the file')
    if not shift <= LARGEST_SHIFT:
        wrong.append(f'principal point {shift:.1f} px from that of the file')
    return Check(tuple(residuals), focal, uncertain, shift, tuple(wrong))


def _command(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    board = Board.from_options(options)
    lens, size = read_lens(options.calibration)
    found = read_views(image_files(options.images), board)
    if found.size != size:
        wanted = f'{size[0]} x {size[1]} px, as {options.calibration}'
        raise ConfigError(found.place, 'images', f'{found.size[0]} x {found.size[1]} px', wanted)
    if len(found.views) < FEWEST:
        what = f'{len(found.views)} of {len(found.views) + len(found.missed)} images with the board'
        raise ConfigError(found.place, 'views', what, f'at least {FEWEST}, tilted differently')
    result = check(lens, board, found.views, size, options.limit)
    if options.json:
        content = dict(vars(result)) | {'images': [view.name for view in found.views]}
        print(json.dumps(content | {'missed': found.missed}))
        return int(bool(result.wrong))
    lines = lines_of(found.missed)
    lines += [
        f'{view.name}: {residual:.3f} px'
        for view, residual in zip(found.views, result.residuals, strict=True)
    ]
    lines += [
        f'focal length {result.focal:.4f} (deviation {result.focal_deviation:.4f}) times that of '
        f'the file, principal point {result.shift:.1f} px from it',
        'holds' if not result.wrong else f'does not hold: {"; ".join(result.wrong)}',
    ]
    print('\n'.join(lines))
    return int(bool(result.wrong))


def _parser():
    parser = terminal.parser(
        'vla_camera check',
        'Does a calibration still hold? From new images of the board, at least three, tilted.',
        'example:\n  ros2 run vla_camera check head.yaml today/*.png',
    )
    parser.add_argument('calibration', type=Path, metavar='CALIBRATION', help='YAML file')
    parser.add_argument('images', type=Path, nargs='+', metavar='IMAGES', help='files or folders')
    parser.add_argument(
        '--limit', type=terminal.a_time, default=0.5, help='residual, px (default: %(default)s)'
    )
    parser.add_argument('--json', action='store_true', help='the numbers as JSON')
    add_board_options(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())
