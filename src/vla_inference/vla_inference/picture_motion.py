# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pictures that do not show the motion of the camera: the same picture again, under new stamps and
new noise (a repeated frame behind a lossy codec).

A kept picture, the reference, is turned and moved as joints and IMU report for the camera: what a
live picture would look like. The change that has to be visible is its difference from the
reference, for the distance of the scene (a plane across the view) that gives the least. The change
that is visible is the difference of the new picture from the reference. A live camera shows about
as much as must be visible, a repeated picture only its noise.

Nothing is concluded where little has to change: the robot stands still, or the scene has no
texture. Pictures are compared as small ones, whose pixels average the noise of many.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vla_inference.camera_pose import CameraPose

WIDTH = 40  # px, of the small pictures
DISTANCES = (0.3, 0.6, 1.5, np.inf)  # m, of the scene
LEAST_MOTION = 0.02  # rad, or as much by translation at the least distance
MOST_MOTION = 0.25  # the same; beyond it too little of the reference is left in view
VISIBLE = 5.0  # levels (RMS, of 255): a change above what sensor noise and a codec leave of it
ABSENT = 0.35  # of the change that has to be visible: at most this, the motion is not shown
SHOWN = 0.6  # at least this, it is
PICTURES = 3  # that contradict the motion, in a row, and ...
CONTRADICTION = 0.3  # s that they have to span: stamps may be late, but not by so much
OUTSIDE = -1e9  # of the reference; so low that the least share of it in a pixel shows
REST = 10.0  # s after which a pose that has hardly changed is the reference's: sensors drift


def small_picture(image: np.ndarray) -> np.ndarray:
    """(h, WIDTH, 3) float32 from an image (H, W, 3) uint8."""
    height = max(1, round(WIDTH * image.shape[0] / image.shape[1]))
    image = np.ascontiguousarray(image)
    return cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_AREA).astype(np.float32)


@dataclass(frozen=True)
class _Picture:
    pixels: np.ndarray
    pose: CameraPose
    stamp_ns: int
    posed_ns: int


class PictureMotion:
    """Judges the pictures of one camera.

    same_for: s of the same picture after which it counts as stale.
    """

    def __init__(self, same_for: float) -> None:
        self._after = same_for
        self._reference: _Picture | None = None
        self._since_ns: int | None = None  # the first picture of those that contradict
        self._count = 0
        self.stale_pictures = 0
        self.reason = ''
        """Why the newest picture is stale; empty if it is not."""

    def clear(self) -> None:
        """Forget the pictures: before every activation."""
        self._reference, self._since_ns, self._count, self.reason = None, None, 0, ''

    def update(self, image: np.ndarray, pose: CameraPose, focal: float, stamp_ns: int) -> None:
        """Judge a picture (H, W, 3) uint8. focal: px."""
        picture = _Picture(small_picture(image), pose, stamp_ns, stamp_ns)
        reference = self._reference
        self.reason = ''
        if reference is None or reference.pixels.shape != picture.pixels.shape:
            self._refer_to(picture)
            return
        turn, shift = _motion(reference.pose, pose)
        amount = float(np.linalg.norm(turn) + np.linalg.norm(shift) / DISTANCES[0])
        if not amount >= LEAST_MOTION:
            self._since_ns, self._count = None, 0
            if 1e-9 * (stamp_ns - reference.posed_ns) > REST:
                self._reference = replace(reference, pose=pose, posed_ns=stamp_ns)
            return
        part = min(1.0, MOST_MOTION / amount)
        focal *= WIDTH / image.shape[1]
        due, shown = _changes(reference.pixels, picture.pixels, part * turn, part * shift, focal)
        if due >= VISIBLE and shown >= max(VISIBLE, SHOWN * due):
            self._refer_to(picture)
        elif due >= VISIBLE and shown <= ABSENT * due:
            self._contradicts(picture, float(np.linalg.norm(turn)), float(np.linalg.norm(shift)))

    def _refer_to(self, picture: _Picture) -> None:
        self._reference, self._since_ns, self._count = picture, None, 0

    def _contradicts(self, picture: _Picture, turn: float, shift: float) -> None:
        if self._since_ns is None:
            self._since_ns = picture.stamp_ns
        self._count += 1
        assert self._reference is not None
        same = 1e-9 * (picture.stamp_ns - self._reference.stamp_ns)
        contradicting = 1e-9 * (picture.stamp_ns - self._since_ns)
        long = same > self._after and contradicting >= CONTRADICTION
        if long and self._count >= PICTURES:
            self.stale_pictures += 1
            self.reason = (
                f'the same image for {same:.2f} s, while the robot turned the camera by '
                f'{turn:.2f} rad and moved it by {shift:.2f} m'
            )


def _motion(before: CameraPose, now: CameraPose) -> tuple[np.ndarray, np.ndarray]:
    """Rotation vector (3,) rad and translation (3,) m, with which a point of the camera's frame
    before comes into that of now."""
    rotation = now.rotation.T @ before.rotation
    return cv2.Rodrigues(rotation)[0][:, 0], now.rotation.T @ (before.position - now.position)


def _changes(
    reference: np.ndarray, picture: np.ndarray, turn: np.ndarray, shift: np.ndarray, focal: float
) -> tuple[float, float]:
    """RMS of the change that has to be visible and of the visible one, in levels: at the distance
    that asks for the least change. focal: px of these pictures."""
    height, width = reference.shape[:2]
    camera = np.array([[focal, 0, 0.5 * (width - 1)], [0, focal, 0.5 * (height - 1)], [0, 0, 1.0]])
    inverse = np.linalg.inv(camera)
    rotation = cv2.Rodrigues(turn)[0]
    least, hidden = np.inf, None
    for distance in DISTANCES:
        # A plane z = d of the frame before (Hartley and Zisserman, 13.1).
        plane = rotation + np.outer(shift, (0.0, 0.0, 1.0 / distance))
        due = cv2.warpPerspective(
            reference,
            camera @ plane @ inverse,
            (width, height),
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(OUTSIDE, OUTSIDE, OUTSIDE),
        )
        outside = due[..., 0] < 0.0
        due -= reference
        due[outside] = 0.0
        change = _rms(due, outside)
        if change < least:
            least, hidden = change, outside
    if hidden is None:
        return 0.0, 0.0
    shown = picture - reference
    shown[hidden] = 0.0
    return least, _rms(shown, hidden)


def _rms(change: np.ndarray, outside: np.ndarray) -> float:
    """Over the pixels that are not outside, where the change is 0; infinite where all are."""
    count = change.shape[2] * (outside.size - np.count_nonzero(outside))
    return math.sqrt(np.vdot(change, change) / count) if count else math.inf
