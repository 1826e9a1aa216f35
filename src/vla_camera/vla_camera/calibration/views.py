# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Views of a board from image files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vla_camera.calibration.board import Board, OtherBoardError, View
from vla_camera.sources.replay import SUFFIXES
from vla_common.errors import ConfigError


@dataclass
class ViewSet:
    """Views of one board by one camera. size: width and height of all images. missed: images in
    which the board was not found, with the reason; other: the reasons of those with another one."""

    place: str
    size: tuple[int, int]
    views: list[View] = field(default_factory=list)
    missed: dict[str, str] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)

    def take(self, board: Board, gray: np.ndarray, name: str) -> View | None:
        """Look for the board in a uint8 image (h, w), and keep the view."""
        height, width = gray.shape
        if (width, height) != self.size:
            found, wanted = f'{width} x {height} px', f'{self.size[0]} x {self.size[1]} px'
            raise ConfigError(self.place, name, found, f'{wanted}, the size of the first image')
        try:
            view = board.find(gray, name)
        except OtherBoardError as error:
            self.missed[name] = str(error)
            self.other.append(str(error))
            return None
        if view is None:
            self.missed[name] = 'no board, or too little of it'
            return None
        self.views.append(view)
        return view

    def refuse_other_boards(self, board: Board) -> None:
        """Raise ConfigError where most images show markers of another board."""
        if (count := len(self.other)) > len(self.views):
            raise ConfigError(self.place, 'board', f'{self.other[0]} ({count} images)', str(board))


def read_views(images: Sequence[Path], board: Board) -> ViewSet:
    """The views of image files. Raises ConfigError: an image that is none, or of another size than
    the first one; another board."""
    found: ViewSet | None = None
    for path in images:
        gray = read_gray(path)
        found = found or ViewSet(str(path.parent), gray.shape[::-1])
        found.take(board, gray, path.name)
    assert found is not None, 'at least one image'
    found.refuse_other_boards(board)
    return found


def lines_of(missed: Mapping[str, str]) -> list[str]:
    """`missed` of a set, for the operator."""
    return [f'{image}: not used, {why}' for image, why in missed.items()]


def image_files(given: Sequence[Path]) -> list[Path]:
    """The images named, and those of the folders named, by name. Raises ConfigError for none."""
    files = []
    for path in given:
        if path.is_dir():
            files += [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES]
        else:
            files.append(path)
    if not files:
        wanted = f'images ({", ".join(SUFFIXES)})'
        raise ConfigError(str(given[0]) if given else 'arguments', '', 'no image', wanted)
    return files


def read_gray(path: Path) -> np.ndarray:
    """uint8 (h, w). Raises ConfigError."""
    if not path.is_file():
        raise ConfigError(path, '', 'no such file', 'an image')
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise ConfigError(path, '', 'no image that OpenCV reads', 'an image')
    return gray
