# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Transforms of a robot's links, for /tf and /tf_static: one for each joint of its URDF.

As robot_state_publisher publishes them: parent link → child link, the fixed joints once. Beside
them `world` → base, from the best that is known (`BasePose`).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_common.rotation import rotation_matrix
from vla_robot import RobotModel

WORLD = 'world'
PRISMATIC = 'prismatic'
LONGEST_AGE = 0.5
"""s after which the simulator's pose of the base, or an orientation, is no longer taken."""


@dataclass(frozen=True)
class Edge:
    """A joint's parent and child link."""

    parent: str
    child: str


class LinkTransforms:
    """Poses of all links in their parents' frames. Quaternions are x y z w, as in messages.

    fixed: edges of the fixed joints; fixed_poses: (k, 7), x y z m and the quaternion.
    moving: edges of the movable joints, in robot order.
    """

    def __init__(self, robot: RobotModel) -> None:
        fixed: list[tuple[Edge, np.ndarray]] = []
        moving: dict[str, tuple[Edge, np.ndarray, np.ndarray, bool]] = {}
        for joint in ElementTree.fromstring(robot.urdf_text).findall('joint'):
            edge = Edge(_link(joint, 'parent'), _link(joint, 'child'))
            origin = joint.find('origin')
            xyz, rpy = (_triple(origin, key, '0 0 0') for key in ('xyz', 'rpy'))
            pose = np.concatenate([xyz, _from_rpy(*rpy.tolist())])
            if joint.get('type') == 'fixed':
                fixed.append((edge, pose))
                continue
            axis = _triple(joint.find('axis'), 'xyz', '1 0 0')
            slides = joint.get('type') == PRISMATIC
            moving[joint.get('name', '')] = edge, pose, axis / np.linalg.norm(axis), slides
        ordered = [moving[name] for name in robot.joint_names]
        self.fixed = tuple(edge for edge, _ in fixed)
        self.fixed_poses = np.array([pose for _, pose in fixed]).reshape(-1, 7)
        self.moving = tuple(edge for edge, *_ in ordered)
        self._origin = np.array([pose for _, pose, _, _ in ordered]).reshape(-1, 7)
        self._axis = np.array([axis for _, _, axis, _ in ordered]).reshape(-1, 3)
        self._slides = np.array([slides for *_, slides in ordered], dtype=bool)
        # Direction of a prismatic joint in its parent's frame; zero for the others.
        self._direction = self._slides[:, None] * _rotated(self._origin[:, 3:], self._axis)

    def moved(self, position: np.ndarray) -> np.ndarray:
        """(n, 7) poses for the edges `moving`, of joint positions (n,) rad (prismatic: m)."""
        half = 0.5 * np.where(self._slides, 0.0, position)
        turn = np.empty((len(half), 4))
        turn[:, :3] = np.sin(half)[:, None] * self._axis
        turn[:, 3] = np.cos(half)
        poses = self._origin.copy()
        poses[:, :3] += self._direction * position[:, None]
        poses[:, 3:] = _product(self._origin[:, 3:], turn)
        return poses


class BaseSource(Enum):
    """Where the pose of the base in the world comes from."""

    SIMULATOR = 'simulator'
    IMU_AND_FEET = 'IMU and feet'
    FEET = 'feet, without orientation'
    FIXED = 'fixed base'


class BasePose:
    """The pose of the base in the world, from the best of what is known.

    The simulator's true pose; else the IMU's orientation, with the lowest corner of the soles on
    the ground and the middle of the feet at the origin, which holds for a robot that stands. It
    does not say where a walking robot is. A robot without feet is fixed at the world's origin.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._boxes = [(foot, box.corners) for foot, box in robot.foot_boxes.items()]
        self._kinematics = robot.kinematics()
        self.source = BaseSource.FIXED if not self._boxes else BaseSource.FEET

    @property
    def is_fixed(self) -> bool:
        """Whether the base never moves."""
        return not self._boxes

    def of(
        self,
        position: np.ndarray,
        orientation: np.ndarray | None = None,
        simulated: np.ndarray | None = None,
    ) -> np.ndarray:
        """(7,) pose of the base: x y z m, quaternion x y z w.

        Args:
            position: (n,) joint positions, rad.
            orientation: (4,) of the base, x y z w, from the IMU.
            simulated: (7,) pose of the base from the simulator, x y z m and quaternion w x y z.

        What is not finite, or no rotation, is left out.
        """
        if self.is_fixed:
            return np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
        if simulated is not None and (unit := _unit(simulated[3:])) is not None:
            if np.isfinite(simulated[:3]).all():
                self.source = BaseSource.SIMULATOR
                return np.concatenate([simulated[:3], unit[1:], unit[:1]])
        unit = None if orientation is None else _unit(orientation)
        self.source = BaseSource.FEET if unit is None else BaseSource.IMU_AND_FEET
        if unit is None:
            unit = np.array([0.0, 0.0, 0.0, 1.0])
        R_base = rotation_matrix(np.roll(unit, 1))
        self._kinematics.update(position, None, R_base)
        corners = []
        for foot, box in self._boxes:
            R, p = self._kinematics.frame(foot)
            corners.append(p + box @ R.T)
        soles = np.concatenate(corners)
        offset = [*soles[:, :2].mean(axis=0), soles[:, 2].min()]
        return np.concatenate([np.negative(offset), unit])


def _link(joint: ElementTree.Element, role: str) -> str:
    element = joint.find(role)
    return '' if element is None else element.get('link', '')


def _triple(element: ElementTree.Element | None, key: str, default: str) -> np.ndarray:
    text = default if element is None else element.get(key, default)
    return np.array([float(value) for value in text.split()])


def _from_rpy(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Quaternion x y z w of a URDF's fixed-axis angles, rad."""
    turns = []
    for axis, angle in ((2, yaw), (1, pitch), (0, roll)):
        turn = np.zeros(4)
        turn[axis], turn[3] = np.sin(0.5 * angle), np.cos(0.5 * angle)
        turns.append(turn[None])
    return _product(_product(turns[0], turns[1]), turns[2])[0]


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton products of two rows of quaternions (k, 4), x y z w."""
    result = np.empty_like(a)
    u, v, s, t = a[:, :3], b[:, :3], a[:, 3:], b[:, 3:]
    result[:, :3] = s * v + t * u + np.cross(u, v)
    result[:, 3] = a[:, 3] * b[:, 3] - np.einsum('ij,ij->i', u, v)
    return result


def _rotated(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors (k, 3), each turned by its quaternion (k, 4), x y z w."""
    twice = 2.0 * np.cross(q[:, :3], v)
    return v + q[:, 3:] * twice + np.cross(q[:, :3], twice)


def _unit(q: np.ndarray) -> np.ndarray | None:
    """`q` of length 1; None: not finite, or not nearly a rotation."""
    length = float(np.linalg.norm(q))
    return q / length if 0.5 < length < 2.0 else None
