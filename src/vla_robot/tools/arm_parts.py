# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the tables of `arm_tables.py` consist of. m, rad, kg, kg m², rad/s, Nm."""

from dataclasses import dataclass

import numpy as np

DARK, SHELL, ACCENT = 'dark', 'shell', 'accent'


@dataclass(frozen=True)
class Rod:
    """From `start` to `end` with `radius`, m."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    colour: str = SHELL


@dataclass(frozen=True)
class Block:
    """A box: lowest and highest corner, m."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: str = SHELL


@dataclass(frozen=True)
class Link:
    """Centre of mass `at`; `inertia` about it: xx, yy, zz, xy, xz, yz in axes turned by `rpy`."""

    name: str
    mass: float
    at: tuple[float, float, float]
    inertia: tuple[float, ...]
    shapes: tuple = ()
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Joint:
    """Placement in the parent link, limits of position, velocity, effort; moves the next link."""

    name: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float]
    lower: float
    upper: float
    velocity: float
    effort: float


@dataclass(frozen=True)
class Frame:
    """A link without mass, fixed to `parent`."""

    name: str
    parent: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Slide:
    """A finger's joint on `parent`, along the y axis of its frame: m, m/s, N."""

    name: str
    parent: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float]
    lower: float
    upper: float
    velocity: float
    effort: float


@dataclass(frozen=True)
class Arm:
    """`links` in series, joined by `joints`; `fixed` are joined rigidly to the link that is named,
    `fingers` by a joint of their own.

    colours: RGB of shells and accents. wrist_camera: an optical frame; None: beside the last link.
    stand: half its width.
    """

    links: tuple[Link, ...]
    joints: tuple[Joint, ...]
    tool: Frame
    fixed: tuple[tuple[Link, Frame], ...] = ()
    fingers: tuple[tuple[Link, Slide], ...] = ()
    colours: dict | None = None
    wrist_camera: Frame | None = None
    stand: float = 0.12


def principal(quaternion: tuple[float, ...], moments: tuple[float, ...]) -> tuple[float, ...]:
    """xx, yy, zz, xy, xz, yz of principal moments in axes turned by a quaternion (w, x, y, z)."""
    w, *v = np.array(quaternion) / np.linalg.norm(quaternion)
    x, y, z = v
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    full = turn @ np.diag(moments) @ turn.T
    return tuple(float(full[i, j]) for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))
