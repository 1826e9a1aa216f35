# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot, a ROS domain of its own, and images to show."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rendered_board import LENS, SIZE, BoardRenderer, looking_at_the_board

from vla_camera.calibration.board import Board
from vla_common.testing import ros  # noqa: F401
from vla_robot import load_robot


@pytest.fixture(scope='session')
def robot():
    return load_robot('humanoid32')


@pytest.fixture(scope='session')
def picture():
    """picture(value): uint8 RGB, 48 x 32; red is the value, green the row, blue zero."""

    def make(value: int) -> np.ndarray:
        rgb = np.zeros((32, 48, 3), np.uint8)
        rgb[:, :, 0] = value
        rgb[:, :, 1] = np.arange(32)[:, None]
        return rgb

    return make


@pytest.fixture
def folder(tmp_path, picture):
    """Five images, red 10, 20, … 50 in the order of their names."""
    path = tmp_path / 'images'
    path.mkdir()
    for k in range(5):
        cv2.imwrite(str(path / f'{k:03}.png'), picture(10 * (k + 1))[:, :, ::-1])
    return path


@pytest.fixture
def video(tmp_path):
    """Ten pictures, 20 Hz, grey 20, 40, … 200."""
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 20.0, (48, 32))
    assert writer.isOpened()
    for k in range(10):
        writer.write(np.full((32, 48, 3), 20 * (k + 1), np.uint8))
    writer.release()
    return path


@pytest.fixture(scope='session')
def board_set(tmp_path_factory):
    """24 images of a board that is moved about before a camera with the lens LENS, their folder,
    and the poses (4, 4) of the board in the camera."""
    board = Board()
    renderer = BoardRenderer(board, LENS, SIZE, seed=1)
    poses = looking_at_the_board(board, LENS, SIZE, 24, seed=2)
    images = [renderer.image(pose) for pose in poses]
    folder = tmp_path_factory.mktemp('boards')
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / f'{k:03}.png'), image)
    return SimpleNamespace(renderer=renderer, poses=poses, images=images, folder=folder)
