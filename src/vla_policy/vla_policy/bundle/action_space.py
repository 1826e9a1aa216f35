# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the numbers of an action mean: joints or end effectors, absolute, delta or velocity."""

from dataclasses import dataclass

import numpy as np

from vla_common.yaml_file import ConfigReader

JOINT_KINDS = ('joint_position', 'joint_delta', 'joint_velocity')
CARTESIAN_KINDS = ('end_effector_pose', 'end_effector_delta')
KINDS = JOINT_KINDS + CARTESIAN_KINDS
DELTAS = ('joint_delta', 'end_effector_delta')
ROTATIONS = {
    'quaternion_wxyz': 4,
    'quaternion_xyzw': 4,
    'rotation_vector': 3,
    'rpy': 3,
    'rot6d_rows': 6,
    'rot6d_columns': 6,
    'none': 0,
}
"""Columns of each form of a rotation. none: the orientation is free."""
RELATIVE_TO = ('observed', 'previous')
BASE, TOOL = 'base', 'tool'


@dataclass(frozen=True)
class EndEffector:
    """frame: of robot.yaml, or a link. Columns: x, y, z in m, then its rotation."""

    frame: str
    rotation: str

    @property
    def width(self) -> int:
        return 3 + ROTATIONS[self.rotation]


@dataclass(frozen=True)
class CartesianSpace:
    """frame: in which poses are given and whose axes deltas have; `tool`, for deltas, those of the
    end effector itself. tolerance: m and rad of error beyond which the robot cannot follow."""

    end_effectors: tuple[EndEffector, ...]
    frame: str
    tolerance: tuple[float, float]


@dataclass(frozen=True)
class ActionSpace:
    """kind: one of KINDS. joints: those that move. relative_to: of deltas, the posture observed
    when the chunk begins, or the point before. ignore: columns that are not used here."""

    kind: str
    joints: tuple[str, ...]
    relative_to: str = 'observed'
    cartesian: CartesianSpace | None = None
    ignore: tuple[int, ...] = ()

    @property
    def used(self) -> int:
        """Columns that mean something."""
        if self.cartesian is None:
            return len(self.joints)
        return sum(one.width for one in self.cartesian.end_effectors)

    @property
    def width(self) -> int:
        """Columns of the action."""
        return self.used + len(self.ignore)

    @property
    def kept(self) -> np.ndarray:
        """Indices of the columns that mean something."""
        return np.array([i for i in range(self.width) if i not in self.ignore], np.intp)

    @property
    def takes_prefix(self) -> bool:
        """Whether a motion of the joints can be written in this space, to guide a sampler."""
        plain = self.kind in ('joint_position', 'joint_delta') and not self.ignore
        return plain and self.relative_to == 'observed'


def read_kind(f: ConfigReader, default: str | None = None) -> str:
    """The key `kind`. Raises ConfigError."""
    if f.raw('kind', default=default) == 'base_velocity':
        wanted = f'one of {", ".join(KINDS)}: no robot here has a base that moves by velocity'
        raise f.error('kind', 'base_velocity', wanted)
    if default is None:
        return f.text('kind', choices=KINDS)
    return f.text('kind', default=default, choices=KINDS)


def read_action_space(f: ConfigReader, kind: str, joints: tuple[str, ...]) -> ActionSpace:
    """The keys of `action` beside kind and joints. Raises ConfigError."""
    relative_to = 'observed'
    if kind in DELTAS:
        relative_to = f.text('relative_to', default='observed', choices=RELATIVE_TO)
    cartesian = _cartesian(f, kind) if kind in CARTESIAN_KINDS else None
    space = ActionSpace(kind, joints, relative_to, cartesian)
    return ActionSpace(kind, joints, relative_to, cartesian, _ignored(f, space.used))


def _ignored(f: ConfigReader, used: int) -> tuple[int, ...]:
    """Columns that are left over lie between 0 and the number of all."""
    found = f.raw('ignore', default=[])
    wanted = 'a list of columns, counted from 0, each once'
    if not isinstance(found, list) or len(found) > 1000:
        raise f.error('ignore', found, wanted)
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in found)
    if not whole or len(set(found)) != len(found):
        raise f.error('ignore', found, wanted)
    width = used + len(found)
    beyond = [one for one in found if not 0 <= one < width]
    if beyond:
        raise f.error('ignore', beyond[0], f'columns from 0 to {width - 1}: {used} are used')
    return tuple(sorted(found))


def _cartesian(f: ConfigReader, kind: str) -> CartesianSpace:
    section = f.section('end_effectors')
    names = section.keys()
    found = tuple(EndEffector(n, section.text(n, choices=tuple(ROTATIONS))) for n in names)
    if not found:
        raise f.error('end_effectors', 'none', 'at least one frame with the form of its rotation')
    frame = f.text('frame', default=BASE)
    if frame == TOOL and kind == 'end_effector_pose':
        wanted = 'base or a frame of the robot; relative to the tool is kind end_effector_delta'
        raise f.error('frame', TOOL, wanted)
    tolerance = (0.02, 0.1)
    if f.has('tolerance'):
        limits = f.section('tolerance')
        tolerance = (
            limits.number('position', default=0.02, lo=1e-4, hi=1.0),
            limits.number('rotation', default=0.1, lo=1e-3, hi=3.2),
        )
        limits.close()
    return CartesianSpace(found, frame, tolerance)
