# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a set of views covers, and what the next one has to show."""

import cv2
import numpy as np

from vla_camera.calibration.board import Board, View
from vla_camera.calibration.intrinsics import CELLS, covered_cells, pinhole_guess
from vla_camera.lens import board_pose

NEW = 0.25
"""Least difference of a view from each other one: in image widths, radians or e-folds of distance,
summed."""
STILL = 2.0  # px between two images: more blurs, or is skewed by a rolling shutter
ENOUGH_COVERED = 0.9
ENOUGH_TILT = 20.0  # degrees, to each of four sides
ENOUGH_RANGE = 1.4  # largest distance over the smallest
ENOUGH_VIEWS = 20


class Coverage:
    """Takes views one by one. size: width, height of the images."""

    def __init__(self, board: Board, size: tuple[int, int]) -> None:
        self._board, self._size = board, size
        self._guess = pinhole_guess(size)
        self._previous: View | None = None
        self._features: list[np.ndarray] = []
        self.views: list[View] = []

    def take(self, view: View | None) -> str:
        """Keep the view if it adds something; '' then, else why it does not."""
        previous, self._previous = self._previous, view
        if view is None:
            return 'no board'
        if previous is None or not self._still(previous, view):
            return 'hold the board still'
        feature = self._feature(view)
        if any(np.abs(feature - other).sum() < NEW for other in self._features):
            return 'seen before'
        self._features.append(feature)
        self.views.append(view)
        return ''

    @property
    def covered(self) -> np.ndarray:
        """bool (rows, columns) of the image's cells."""
        return covered_cells(self.views, self._size)

    @property
    def tilt(self) -> dict[str, float]:
        """Degrees to each side, which is then the far one."""
        x, y = np.array([f[2:4] for f in self._features] or [[0.0, 0.0]]).T
        sides = {'right': -x, 'left': x, 'bottom': -y, 'top': y}
        return {side: max(0.0, float(np.degrees(values.max()))) for side, values in sides.items()}

    @property
    def distances(self) -> float:
        """Largest distance over the smallest."""
        logs = [f[4] for f in self._features] or [0.0]
        return float(np.exp(max(logs) - min(logs)))

    def missing(self) -> list[str]:
        """What the next views have to show; empty when there is enough."""
        wanted = []
        places = [_place(cell) for cell in np.argwhere(~self.covered)]
        if self.covered.mean() < ENOUGH_COVERED:
            wanted.append(f'the board at the {max(places, key=places.count)}')
        tilt = self.tilt
        least = min(tilt, key=lambda side: tilt[side])
        if tilt[least] < ENOUGH_TILT:
            wanted.append(f'its {least} edge tilted away')
        if self.distances < ENOUGH_RANGE:
            wanted.append('nearer and further')
        if not wanted and len(self.views) < ENOUGH_VIEWS:
            wanted.append('more views')
        return wanted

    def line(self) -> str:
        """The progress as one line."""
        tilt = min(self.tilt.values())
        done = (
            f'{len(self.views)} views, image {self.covered.mean():.0%}, tilt {tilt:.0f} degrees, '
            f'distance x{self.distances:.1f}'
        )
        wanted = self.missing()
        return f'{done}; next: {", ".join(wanted)}' if wanted else f'{done}: enough'

    def _feature(self, view: View) -> np.ndarray:
        """Place in the image (2), tilt (2) rad, logarithm of the distance."""
        rvec, tvec, _ = board_pose(self._guess, self._board.points(view), view.pixels)
        normal = cv2.Rodrigues(rvec)[0][:, 2]
        tilt = np.arcsin(np.clip(normal[:2], -1.0, 1.0))
        place = view.pixels.mean(0) / self._size[0]
        return np.concatenate([place, tilt, [np.log(np.linalg.norm(tvec))]])

    def _still(self, before: View, now: View) -> bool:
        _, a, b = np.intersect1d(before.numbers, now.numbers, return_indices=True)
        moved = np.linalg.norm(before.pixels[a] - now.pixels[b], axis=1)
        return len(moved) > 0 and bool(np.median(moved) < STILL)


def _place(cell: np.ndarray) -> str:
    """Words for a cell (row, column)."""
    columns, rows = CELLS
    row = 'top' if cell[0] == 0 else 'bottom' if cell[0] == rows - 1 else ''
    column = 'left' if cell[1] == 0 else 'right' if cell[1] == columns - 1 else ''
    return f'{row} {column}'.strip() or 'middle'
