# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Projection through a calibrated lens, with OpenCV's models by their ROS names.

Pixel coordinates count from the centre of the first pixel. `equidistant` is OpenCV's fisheye model
(Kannala and Brandt 2006 with four coefficients), the others are those of `cv2.projectPoints`.
"""

from dataclasses import replace

import cv2
import numpy as np

from vla_camera.source import Calibration

FISHEYE = 'equidistant'


def camera_matrix(c: Calibration) -> np.ndarray:
    """K (3, 3)."""
    return np.array([[c.fx, 0.0, c.cx], [0.0, c.fy, c.cy], [0.0, 0.0, 1.0]])


def project(c: Calibration, points: np.ndarray, rvec: np.ndarray, tvec: np.ndarray) -> np.ndarray:
    """Pixels (n, 2) of points (n, 3) m, given in a frame with this pose in the camera."""
    module = cv2.fisheye if c.model == FISHEYE else cv2
    points = np.asarray(points, float).reshape(-1, 1, 3)
    pixels, _ = module.projectPoints(points, rvec, tvec, camera_matrix(c), np.array(c.distortion))
    return pixels.reshape(-1, 2)


def normalized(c: Calibration, pixels: np.ndarray) -> np.ndarray:
    """x/z, y/z (n, 2) of the rays through pixels (n, 2), without distortion."""
    module = cv2.fisheye if c.model == FISHEYE else cv2
    pixels = np.asarray(pixels, float).reshape(-1, 1, 2)
    return module.undistortPoints(pixels, camera_matrix(c), np.array(c.distortion)).reshape(-1, 2)


def board_pose(
    c: Calibration, points: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Pose of a flat object from its points (n, 3), z 0, and their pixels (n, 2): rvec (3,), tvec
    (3,) m and the RMS reprojection error, px. ValueError: no pose fits."""
    rays = normalized(c, pixels).reshape(-1, 1, 2)
    flat = np.asarray(points, float).reshape(-1, 1, 3)
    eye, zero = np.eye(3), np.zeros(5)
    ok, rvec, tvec = cv2.solvePnP(flat, rays, eye, zero, flags=cv2.SOLVEPNP_IPPE)
    if not ok:
        raise ValueError('no pose fits the corners')
    if c.model == FISHEYE:
        rvec, tvec = cv2.solvePnPRefineLM(flat, rays, eye, zero, rvec, tvec)
    else:  # errors in pixels, not in rays
        measured = np.asarray(pixels, float).reshape(-1, 1, 2)
        rvec, tvec = cv2.solvePnPRefineLM(
            flat, measured, camera_matrix(c), np.array(c.distortion), rvec, tvec
        )
    return rvec.ravel(), tvec.ravel(), rms(project(c, points, rvec, tvec) - pixels)


def rms(errors: np.ndarray) -> float:
    """Root of the mean squared length of errors (n, 2)."""
    return float(np.sqrt(np.mean(np.sum(np.square(errors), axis=1))))


def rectified(c: Calibration, width: int, height: int) -> Calibration:
    """The distortion-free camera whose image holds only pixels that the lens sees (alpha 0, as
    camera_calibration)."""
    k, d, size = camera_matrix(c), np.array(c.distortion), (width, height)
    if c.model == FISHEYE:
        new = cv2.fisheye.estimateNewCameraMatrixForUndistortRectify(
            k, d, size, np.eye(3), balance=0.0
        )
    else:
        new, _ = cv2.getOptimalNewCameraMatrix(k, d, size, 0.0)
    plain = Calibration(*(float(new[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2))))
    return replace(plain, model='plumb_bob', distortion=(0.0,) * 5)


def rectification_maps(
    c: Calibration, target: Calibration, width: int, height: int, kind: int = cv2.CV_16SC2
) -> tuple[np.ndarray, np.ndarray]:
    """Maps for `cv2.remap` from an image of c to one of target, both of this size; the usual kind
    is the one that it reads fastest."""
    module = cv2.fisheye if c.model == FISHEYE else cv2
    new, size = camera_matrix(target), (width, height)
    k, d = camera_matrix(c), np.array(c.distortion)
    return module.initUndistortRectifyMap(k, d, np.eye(3), new, size, kind)
