# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Images of a board through a known lens, from known poses, with noise.

Each pixel is four rays that meet the plane of the board: nothing of the code under test, and no
approximation of the distortion.
"""

import cv2
import numpy as np

from vla_camera.lens import normalized
from vla_camera.source import Calibration

SIZE = (640, 480)
LENS = Calibration(520.0, 523.0, 331.0, 236.0, 'plumb_bob', (-0.28, 0.11, 8e-4, -6e-4, -0.02))
FINER = 2
PIXELS_PER_SQUARE = 80
MARGIN = 0.4  # of a square, white paper around the board


class BoardRenderer:
    def __init__(self, board, calibration, size, noise=2.0, seed=0):
        self.board, self.size, self.noise = board, size, noise
        self.random = np.random.default_rng(seed)
        edge = round(MARGIN * PIXELS_PER_SQUARE)
        plain = board.image(PIXELS_PER_SQUARE)
        self.paper = cv2.copyMakeBorder(plain, *[edge] * 4, cv2.BORDER_CONSTANT, value=255)
        self.edge = edge
        width, height = size
        fine = [(np.arange(n * FINER) + 0.5) / FINER - 0.5 for n in size]
        pixels = np.stack(np.meshgrid(*fine), 2).reshape(-1, 2)
        rays = normalized(calibration, pixels)
        rays = np.column_stack([rays, np.ones(len(rays))]).astype(np.float32)
        self.rays = rays.reshape(height * FINER, width * FINER, 3)

    def image(self, pose):
        """uint8 (h, w); pose (4, 4): of the board in the camera."""
        # A ray meets the plane z = 0 of the board at the inverse of (x axis, y axis, origin).
        scale = PIXELS_PER_SQUARE / self.board.square
        to_paper = np.array([[scale, 0, self.edge - 0.5], [0, scale, self.edge - 0.5], [0, 0, 1]])
        meets = self.rays @ (to_paper @ np.linalg.inv(pose[:3, [0, 1, 3]])).T.astype(np.float32)
        maps = meets[..., :2] / meets[..., 2:]
        fine = cv2.remap(self.paper, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderValue=90)
        image = cv2.resize(fine, self.size, interpolation=cv2.INTER_AREA).astype(float)
        image = 20.0 + 0.8 * image + self.noise * self.random.standard_normal(image.shape)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def transform(rvec, tvec):
    """(4, 4) from a rotation vector and a translation."""
    made = np.eye(4)
    made[:3, :3] = cv2.Rodrigues(np.asarray(rvec, float))[0]
    made[:3, 3] = tvec
    return made


def looking_at_the_board(board, calibration, size, count, seed=0, tilt=35.0, near=0.28, far=0.5):
    """Poses (4, 4) of the board in the camera that put its middle all over the image, tilted by up
    to `tilt` degrees, turned, `near` to `far` m away."""
    random = np.random.default_rng(seed)
    width, height = size
    poses = []
    for k in range(count):
        # A lattice of places: every part of the image is visited.
        u, v = (k * 0.618034 + 0.3) % 1.0, (k + 0.5) / count
        pixel = np.array([[(0.15 + 0.7 * u) * width, (0.15 + 0.7 * v) * height]])
        distance = near + (far - near) * random.random()
        middle = np.append(normalized(calibration, pixel)[0], 1.0) * distance
        direction = random.random() * 2.0 * np.pi
        lean = np.radians(tilt) * np.sqrt(random.random()) if tilt else 0.0
        turn = random.normal() * 0.3
        axis = np.array([np.cos(direction), np.sin(direction), 0.0]) * lean
        rotation = cv2.Rodrigues(axis)[0] @ cv2.Rodrigues(np.array([0.0, 0.0, turn]))[0]
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = middle - rotation @ np.array([*np.array(board.size) / 2.0, 0.0])
        poses.append(pose)
    return poses
