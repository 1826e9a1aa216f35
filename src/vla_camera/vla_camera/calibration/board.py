# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ChArUco boards: print to scale, find the corners in an image."""

import argparse
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from vla_common import terminal
from vla_common.errors import ConfigError

FEWEST_CORNERS = 8
"""Of one view; a pose from fewer depends on the noise."""
OTHER_LAYOUT = 0.3
"""Distance of the markers from where the board has them, in sides of a marker: above, it is
another board."""
DICTIONARIES = tuple(
    f'{bits}_{count}' for bits in ('4X4', '5X5', '6X6', '7X7') for count in (50, 100, 250, 1000)
)


@dataclass(frozen=True, eq=False)
class View:
    """Corners of the board in one image: numbers (n,), pixels (n, 2). name: of the image."""

    name: str
    numbers: np.ndarray
    pixels: np.ndarray


class OtherBoardError(ValueError):
    """The markers in the image are not those of the board."""


@dataclass(frozen=True)
class Board:
    """columns, rows: squares. square, marker: sides, m."""

    columns: int = 9
    rows: int = 6
    square: float = 0.030
    marker: float = 0.022
    dictionary: str = '5X5_100'

    @classmethod
    def from_options(cls, options: Any) -> 'Board':
        """Of the options of `add_board_options`. Raises ConfigError."""
        columns, _, rows = options.board.partition('x')
        if not (columns.isdigit() and rows.isdigit() and min(int(columns), int(rows)) >= 3):
            wanted = 'COLUMNSxROWS, squares, at least 3x3'
            raise ConfigError('arguments', '--board', options.board, wanted)
        board = cls(int(columns), int(rows), options.square, options.marker, options.dictionary)
        if not 0.3 * board.square <= board.marker <= 0.95 * board.square:
            wanted = f'0.3 to 0.95 of the square, which is {board.square:g}'
            raise ConfigError('arguments', '--marker', board.marker, wanted)
        have = int(board.dictionary.rpartition('_')[2])
        need = board.columns * board.rows // 2
        if need > have:
            wanted = f'one with the {need} markers of a board of {options.board}'
            raise ConfigError('arguments', '--dictionary', board.dictionary, wanted)
        return board

    def __str__(self) -> str:
        return (
            f'{self.columns}x{self.rows} squares of {1000 * self.square:g} mm, '
            f'markers {self.dictionary} of {1000 * self.marker:g} mm'
        )

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, m."""
        return self.columns * self.square, self.rows * self.square

    @cached_property
    def corners(self) -> np.ndarray:
        """(n, 3) m: the inner corners by number; x right, y down, z away from the viewer."""
        return np.asarray(self._charuco.getChessboardCorners(), float)

    def points(self, view: View) -> np.ndarray:
        """(n, 3) m: the corners of a view."""
        return self.corners[view.numbers]

    def image(self, pixels_per_square: int) -> np.ndarray:
        """uint8 (h, w), the board without a margin."""
        size = self.columns * pixels_per_square, self.rows * pixels_per_square
        return self._charuco.generateImage(size, None, 0, 1)

    def find(self, gray: np.ndarray, name: str = '') -> View | None:
        """The board in a uint8 image (h, w); None: not seen, or too little of it for a pose.

        Raises OtherBoardError: markers of the dictionary in another layout.
        """
        pixels, numbers, markers, ids = self._detector.detectBoard(gray)
        if ids is not None and len(ids):
            self._check_layout(markers, ids.ravel())
        if numbers is None or len(numbers) < FEWEST_CORNERS:
            return None
        view = View(name, numbers.ravel(), pixels.reshape(-1, 2).astype(float))
        # Corners on one line have no pose.
        places = self.points(view)[:, :2] / self.square
        if np.linalg.svd(places - places.mean(0), compute_uv=False)[1] < 1.0:
            return None
        return view

    def _check_layout(self, markers: Any, ids: np.ndarray) -> None:
        known = self._marker_corners
        if foreign := sorted(set(ids.tolist()) - set(known)):
            raise OtherBoardError(
                f'marker {foreign[-1]}, and a board of {self.columns}x{self.rows} has 0 to '
                f'{max(known)}'
            )
        if len(ids) < 4:
            return
        places = np.concatenate([known[i] for i in ids.tolist()])
        seen = np.concatenate([m.reshape(4, 2) for m in markers]).astype(float)
        fit, _ = cv2.findHomography(places, seen)
        if fit is None:
            return
        there = cv2.perspectiveTransform(places.reshape(-1, 1, 2), fit).reshape(-1, 2)
        sides = np.linalg.norm(np.diff(seen.reshape(-1, 4, 2), axis=1), axis=2)
        error = np.median(np.linalg.norm(there - seen, axis=1)) / np.median(sides)
        if error > OTHER_LAYOUT:
            raise OtherBoardError(
                f'markers that are not arranged as on a board of {self.columns}x{self.rows}'
            )

    @cached_property
    def _charuco(self) -> cv2.aruco.CharucoBoard:
        dictionary = cv2.aruco.getPredefinedDictionary(
            getattr(cv2.aruco, f'DICT_{self.dictionary}')
        )
        size = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(size, self.square, self.marker, dictionary)

    @cached_property
    def _detector(self) -> cv2.aruco.CharucoDetector:
        return cv2.aruco.CharucoDetector(self._charuco)

    @cached_property
    def _marker_corners(self) -> dict[int, np.ndarray]:
        charuco = self._charuco
        return {
            int(i): np.asarray(corners, float)[:, :2]
            for i, corners in zip(charuco.getIds().ravel(), charuco.getObjPoints(), strict=True)
        }


def add_board_options(parser: argparse.ArgumentParser) -> None:
    """--board, --square, --marker, --dictionary: the same for all commands."""
    usual = Board()
    group = parser.add_argument_group('board (measure the printed one)')
    group.add_argument(
        '--board', default=f'{usual.columns}x{usual.rows}', metavar='COLUMNSxROWS', help='squares'
    )
    for name, default in (('square', usual.square), ('marker', usual.marker)):
        group.add_argument(
            f'--{name}', type=terminal.a_time, default=default, help='side, m (%(default)s)'
        )
    group.add_argument(
        '--dictionary', choices=DICTIONARIES, default=usual.dictionary, metavar='NAME',
        help='of the markers (default: %(default)s)',
    )  # fmt: skip
