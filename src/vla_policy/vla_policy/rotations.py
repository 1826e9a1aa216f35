# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rotations as policies write them, and the matrices that they mean."""

import numpy as np
import pinocchio

UNIT = 0.1
"""By which the length of a quaternion may differ from 1: a network rounds, but does not shorten."""
SHORTEST = 0.1
"""Length of the first direction, and of the second across it, below which six numbers are no
rotation."""
MOST_RAD = 4.0 * np.pi
"""An angle beyond it comes from a model with a wrong scale (degrees)."""


def matrices(rows: np.ndarray, form: str) -> np.ndarray:
    """Rotation matrices (h, 3, 3) of rows (h, width), finite.

    quaternion_wxyz, quaternion_xyzw: of length 1. rotation_vector: axis times angle, rad. rpy:
    roll, pitch, yaw about fixed x, y, z, R = Rz·Ry·Rx (as in a URDF), rad. rot6d_rows,
    rot6d_columns: the first two rows or columns (Zhou et al., "On the continuity of rotation
    representations", 2019), made orthonormal. none: the identity.

    Raises ValueError: a row is no rotation.
    """
    if form == 'none':
        return np.tile(np.eye(3), (len(rows), 1, 1))
    if form.startswith('quaternion'):
        return _of_quaternions(rows if form == 'quaternion_wxyz' else rows[:, [3, 0, 1, 2]])
    if form.startswith('rot6d'):
        found = _of_six(rows)
        return found if form == 'rot6d_rows' else found.transpose(0, 2, 1)
    largest = float(np.abs(rows).max(initial=0.0))
    if not largest <= MOST_RAD:
        raise ValueError(f'an angle of {largest:.3g} rad, beyond {MOST_RAD:.3g}')
    if form == 'rotation_vector':
        return np.array([pinocchio.exp3(row) for row in rows])
    return np.array([pinocchio.rpy.rpyToMatrix(row) for row in rows])


def rows_of(rotations: np.ndarray, form: str) -> np.ndarray:
    """The inverse of `matrices`: rows (h, width) of rotation matrices (h, 3, 3)."""
    if form == 'none':
        return np.zeros((len(rotations), 0))
    if form.startswith('quaternion'):
        xyzw = np.array([pinocchio.Quaternion(np.asfortranarray(r)).coeffs() for r in rotations])
        return xyzw if form == 'quaternion_xyzw' else xyzw[:, [3, 0, 1, 2]]
    if form == 'rot6d_rows':
        return rotations[:, :2].reshape(-1, 6)
    if form == 'rot6d_columns':
        return rotations.transpose(0, 2, 1)[:, :2].reshape(-1, 6)
    if form == 'rotation_vector':
        return np.array([pinocchio.log3(np.asfortranarray(r)) for r in rotations])
    return np.array([pinocchio.rpy.matrixToRpy(np.asfortranarray(r)) for r in rotations])


def _of_quaternions(wxyz: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(wxyz, axis=1)
    worst = int(np.argmax(np.abs(lengths - 1.0)))
    if not abs(lengths[worst] - 1.0) <= UNIT:
        raise ValueError(f'a quaternion of length {lengths[worst]:.3g}, wanted 1')
    w, x, y, z = (wxyz / lengths[:, None]).T
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)


def _of_six(rows: np.ndarray) -> np.ndarray:
    """Matrices whose rows are the two directions, made orthonormal, and their cross product."""
    first, second = rows[:, :3], rows[:, 3:]
    length = np.linalg.norm(first, axis=1, keepdims=True)
    if not length.min(initial=np.inf) >= SHORTEST:
        raise ValueError(f'six numbers with a direction of length {length.min():.3g}, wanted 1')
    x = first / length
    across = second - np.sum(x * second, axis=1, keepdims=True) * x
    length = np.linalg.norm(across, axis=1, keepdims=True)
    if not length.min(initial=np.inf) >= SHORTEST:
        raise ValueError('six numbers whose two directions are parallel')
    y = across / length
    return np.stack([x, y, np.cross(x, y)], axis=1)
