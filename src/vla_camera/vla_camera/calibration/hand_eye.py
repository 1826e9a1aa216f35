# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The hand-eye transform: where a camera sits on its link, from poses of the link and of a board.

Every two poses give A X = X B, with A the motion of the link and B that of the camera. Two closed
forms solve it, which share no step: Park and Martin (1994) take the rotation alone and then the
translation, Daniilidis (1999) both at once as a dual quaternion. OpenCV 5 has neither. Where they
disagree, the poses do not determine the transform, or do not belong together.

    eye in hand: the camera on the link, the board fixed in the base. X: camera in the link.
    eye to hand: the board on the link, the camera fixed in the base. X: camera in the base; the
        same equation with the poses of the link inverted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pinocchio as pin

from vla_common.errors import ConfigError
from vla_common.rotation import quaternion_xyzw, rotation_matrix

FEWEST_PAIRS = 8
LEAST_TURN = np.radians(8.0)
"""RMS rotation about a second axis, between all pairs of poses."""
SHORTEST, LONGEST = np.radians(5.0), np.radians(170.0)
"""Motions that are used: shorter ones are noise, longer ones have no certain axis."""
AGREE_M, AGREE_RAD = 0.005, np.radians(0.5)
WORST_M, WORST_RAD = 0.005, np.radians(1.0)
"""RMS of the leave-one-out errors."""
WORST_SCALE = 0.02
"""Share by which the motions of the camera may be longer or shorter than those of the link."""


@dataclass(frozen=True)
class HandEye:
    """Result. transform (4, 4): the camera in the link, or in the base. apart_m, apart_rad: between
    both methods. left_out_m, left_out_rad: errors (n,) of each pose, predicted from the others.
    scale: length of the camera's motions for those of the link."""

    transform: np.ndarray
    apart_m: float
    apart_rad: float
    left_out_m: np.ndarray
    left_out_rad: np.ndarray
    scale: float

    @property
    def rms_m(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.left_out_m))))

    @property
    def rms_rad(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.left_out_rad))))


def hand_eye(
    links: Sequence[np.ndarray], boards: Sequence[np.ndarray], to_hand: bool, place: str
) -> HandEye:
    """The transform from poses of the link in the base and of the board in the camera, (4, 4) each.

    to_hand: the camera is fixed, and the board on the link. place: file of the poses, for errors.

    Raises ConfigError: too few poses, rotations about one axis only, methods that disagree, lengths
    that differ, or poses that the others do not predict.
    """
    if len(links) < FEWEST_PAIRS:
        raise ConfigError(place, 'pairs', f'{len(links)} poses', f'at least {FEWEST_PAIRS}')
    hands = [inverse(link) for link in links] if to_hand else list(links)
    _refuse_parallel_axes(hands, place)
    x = park(hands, boards)
    other = daniilidis(hands, boards)
    apart_m, apart_rad = distance(x, other)
    scale = _scale(hands, boards, x[:3, :3])
    if abs(scale - 1.0) > WORST_SCALE:
        found = f'the camera moves {scale:.3f} m for each 1 m of the link'
        raise ConfigError(place, 'lengths', found, 'the same: measure the squares of the board')
    if not (apart_m <= AGREE_M and apart_rad <= AGREE_RAD):
        found = f'{1000 * apart_m:.1f} mm, {np.degrees(apart_rad):.2f} degrees apart'
        wanted = f'at most {1000 * AGREE_M:g} mm, {np.degrees(AGREE_RAD):g} degrees'
        raise ConfigError(place, 'two methods', found, wanted)
    errors = np.array([_left_out(hands, boards, i) for i in range(len(hands))])
    result = HandEye(x, apart_m, apart_rad, errors[:, 0], errors[:, 1], scale)
    if not (result.rms_m <= WORST_M and result.rms_rad <= WORST_RAD):
        worst = int(np.argmax(errors[:, 0] / WORST_M + errors[:, 1] / WORST_RAD))
        found = (
            f'{1000 * result.rms_m:.1f} mm, {np.degrees(result.rms_rad):.2f} degrees, most at '
            f'pairs[{worst}]'
        )
        wanted = f'at most {1000 * WORST_M:g} mm, {np.degrees(WORST_RAD):g} degrees'
        raise ConfigError(place, 'leave-one-out error', found, wanted)
    return result


def park(hands: Sequence[np.ndarray], boards: Sequence[np.ndarray]) -> np.ndarray:
    """X (4, 4): rotation by least squares of the rotation vectors, then the translation."""
    a, b = _motions(hands, boards)
    turns_a = np.array([pin.log3(motion[:3, :3]) for motion in a])
    turns_b = np.array([pin.log3(motion[:3, :3]) for motion in b])
    u, _, vt = np.linalg.svd(turns_a.T @ turns_b)
    x = np.eye(4)
    x[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    x[:3, 3] = _translation(a, b, x[:3, :3])
    return x


def daniilidis(hands: Sequence[np.ndarray], boards: Sequence[np.ndarray]) -> np.ndarray:
    """X (4, 4) as the dual quaternion that the screws of all motions share (equations 31 to 35)."""
    rows = []
    for a, b in zip(*_motions(hands, boards), strict=True):
        (ra, da), (rb, db) = _dual_quaternion(a), _dual_quaternion(b)
        block = np.zeros((6, 8))
        block[:3, 0], block[:3, 1:4] = ra[1:] - rb[1:], pin.skew(ra[1:] + rb[1:])
        block[3:, 0], block[3:, 1:4] = da[1:] - db[1:], pin.skew(da[1:] + db[1:])
        block[3:, 4:] = block[:3, :4]
        rows.append(block)
    v = np.linalg.svd(np.concatenate(rows))[2]
    u1, v1, u2, v2 = v[6, :4], v[6, 4:], v[7, :4], v[7, 4:]
    # q = l1 (u1, v1) + l2 (u2, v2) with |q| = 1 and its two parts orthogonal; s = l1 / l2.
    coefficients = (u1 @ v1, u1 @ v2 + u2 @ v1, u2 @ v2)
    ratios = np.roots(coefficients)
    sizes = [s * s * (u1 @ u1) + 2.0 * s * (u1 @ u2) + u2 @ u2 for s in ratios.real]
    best = int(np.argmax(sizes))
    l2 = np.sqrt(1.0 / sizes[best])
    l1 = ratios.real[best] * l2
    q, dual = l1 * u1 + l2 * u2, l1 * v1 + l2 * v2
    q = q / np.linalg.norm(q)
    x = np.eye(4)
    x[:3, :3] = rotation_matrix(q)
    # t = 2 dual q*, vector part.
    x[:3, 3] = 2.0 * (-dual[0] * q[1:] + q[0] * dual[1:] - np.cross(dual[1:], q[1:]))
    return x


def distance(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """m and rad between two poses (4, 4)."""
    turn = np.linalg.norm(pin.log3(a[:3, :3].T @ b[:3, :3]))
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3])), float(turn)


def inverse(pose: np.ndarray) -> np.ndarray:
    """Of a rigid transform (4, 4)."""
    back = np.eye(4)
    back[:3, :3] = pose[:3, :3].T
    back[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return back


def _motions(
    hands: Sequence[np.ndarray], boards: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A and B of all pairs of poses with a rotation that is of use: A X = X B."""
    a, b = [], []
    for i, j in combinations(range(len(hands)), 2):
        hand = inverse(hands[j]) @ hands[i]
        eye = boards[j] @ inverse(boards[i])
        turns = [np.linalg.norm(pin.log3(motion[:3, :3])) for motion in (hand, eye)]
        if min(turns) > SHORTEST and max(turns) < LONGEST:
            a.append(hand)
            b.append(eye)
    return a, b


def _translation(a: list[np.ndarray], b: list[np.ndarray], rotation: np.ndarray) -> np.ndarray:
    left = np.concatenate([m[:3, :3] - np.eye(3) for m in a])
    right = np.concatenate([rotation @ n[:3, 3] - m[:3, 3] for m, n in zip(a, b, strict=True)])
    return np.linalg.lstsq(left, right, rcond=None)[0]


def _scale(
    hands: Sequence[np.ndarray], boards: Sequence[np.ndarray], rotation: np.ndarray
) -> float:
    """Length of the camera's motions for 1 m of the link's: a board of another size than stated,
    or a wrong focal length."""
    a, b = _motions(hands, boards)
    left = np.concatenate(
        [
            np.column_stack([m[:3, :3] - np.eye(3), -rotation @ n[:3, 3]])
            for m, n in zip(a, b, strict=True)
        ]
    )
    right = -np.concatenate([m[:3, 3] for m in a])
    inverse_scale = np.linalg.lstsq(left, right, rcond=None)[0][3]
    return float(1.0 / inverse_scale) if inverse_scale > 1e-6 else np.inf


def _dual_quaternion(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Real and dual part (4,), wxyz, of a pose (4, 4); w is not negative."""
    x, y, z, w = quaternion_xyzw(pose[:3, :3])
    q = np.array([w, x, y, z]) * (1.0 if w >= 0.0 else -1.0)
    t = pose[:3, 3]
    return q, 0.5 * np.array([-t @ q[1:], *(q[0] * t + np.cross(t, q[1:]))])


def _left_out(
    hands: Sequence[np.ndarray], boards: Sequence[np.ndarray], index: int
) -> tuple[float, float]:
    """m and rad by which the others miss the board of one pose."""
    rest = [i for i in range(len(hands)) if i != index]
    x = park([hands[i] for i in rest], [boards[i] for i in rest])
    fixed = mean_pose([hands[i] @ x @ boards[i] for i in rest])
    return distance(inverse(hands[index] @ x) @ fixed, boards[index])


def mean_pose(poses: Sequence[np.ndarray]) -> np.ndarray:
    """Of poses (4, 4) that are near each other: mean place, chordal mean of the rotations."""
    mean = np.mean(poses, axis=0)
    u, _, vt = np.linalg.svd(mean[:3, :3])
    mean[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return mean


def _refuse_parallel_axes(hands: Sequence[np.ndarray], place: str) -> None:
    turns = np.array([pin.log3(a[:3, :3].T @ b[:3, :3]) for a, b in combinations(hands, 2)])
    _, sizes, axes = np.linalg.svd(turns, full_matrices=False)
    first, second = sizes[:2] / np.sqrt(len(turns))
    if second < LEAST_TURN:
        axis = ', '.join(f'{value:.2f}' for value in axes[0])
        found = (
            f'{np.degrees(first):.0f} degrees (RMS) about ({axis}) and '
            f'{np.degrees(second):.1f} about a second axis'
        )
        wanted = f'at least {np.degrees(LEAST_TURN):.0f} about a second one: turn the wrist too'
        raise ConfigError(place, 'rotations', found, wanted)
