# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Quaternions and rotation matrices."""

import math

import numpy as np


def rotation_matrix(wxyz: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a unit quaternion (w, x, y, z)."""
    w, x, y, z = wxyz.tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_xyzw(R: np.ndarray) -> tuple[float, float, float, float]:
    """Unit quaternion (x, y, z, w) of a rotation matrix (3, 3) (Shepperd's method)."""
    trace = float(np.trace(R))
    values = np.array([R[0, 0], R[1, 1], R[2, 2], trace])
    largest = int(values.argmax())
    q = np.empty(4)
    if largest == 3:
        q[:] = R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], 1.0 + trace
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q[i] = 1.0 - trace + 2.0 * R[i, i]
        q[j] = R[j, i] + R[i, j]
        q[k] = R[k, i] + R[i, k]
        q[3] = R[k, j] - R[j, k]
    q /= np.linalg.norm(q)
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])


def level_rotation(wxyz: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) from a body's axes to its level frame: its orientation without its yaw.

    wxyz: (4,) orientation of the body in the world, of any length but 0.
    """
    R = rotation_matrix(wxyz / math.sqrt(wxyz @ wxyz))
    length = math.hypot(R[0, 0], R[1, 0])
    # With x vertical there is no heading; any will do: the robot is lying.
    c, s = (R[0, 0] / length, R[1, 0] / length) if length > 1e-9 else (1.0, 0.0)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ R


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product (4,) of quaternions wxyz."""
    aw, ax, ay, az = a.tolist()
    bw, bx, by, bz = b.tolist()
    return np.array(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ]
    )


def rotation_between(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """(3,) rotation vector, rad, from orientation a to b, in the axes of a."""
    aw, ax, ay, az = a.tolist()
    bw, bx, by, bz = b.tolist()
    # The conjugate of a, times b.
    w = aw * bw + ax * bx + ay * by + az * bz
    x = aw * bx - ax * bw - ay * bz + az * by
    y = aw * by + ax * bz - ay * bw - az * bx
    z = aw * bz - ax * by + ay * bx - az * bw
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0
    return x * scale, y * scale, z * scale


def integrated(wxyz: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The orientation (4,) after a turn (3,) rad about its own axes."""
    half = 0.5 * math.hypot(*turn.tolist())
    share = 0.5 * math.sin(half) / half if half > 1e-12 else 0.5
    return product(wxyz, np.array([math.cos(half), *(share * turn).tolist()]))
