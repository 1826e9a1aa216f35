# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Grippers: joints of the robot that hold things, seen as one opening in m and one force in N.

The joints follow the opening along a table, in straight lines from row to row. With the slope
g_i = dq_i/d(opening) of joint i, a grip force F on the object and joint efforts τ_i do the same
work: F = -Σ τ_i·g_i, positive where the gripper presses.
"""

import math
from dataclasses import dataclass

import numpy as np

from vla_common.yaml_file import ConfigReader

ESTOP = ('hold', 'release', 'passive')
"""What a gripper does while the robot is passive: hold its grip, open, or go passive too."""
WIDEST = 1.0
"""m, of an opening; a larger one is in mm."""
LEAST_STROKE = 1e-4
"""m between two openings of the table."""


@dataclass(frozen=True, eq=False)
class Gripper:
    """One gripper.

    joints: (j,) indices in robot order, named `joint_names`. openings: (k,) m, rising; positions:
    (k, j) rad or m of the joints at each of them. force: N, the most that it may press with.
    grip_force: N, what it presses with where nobody says. speed: m/s, of the opening. estop: one of
    `ESTOP`.
    """

    name: str
    joints: np.ndarray
    joint_names: tuple[str, ...]
    openings: np.ndarray
    positions: np.ndarray
    force: float
    grip_force: float
    speed: float
    estop: str

    @property
    def closed(self) -> float:
        """m, the smallest opening."""
        return float(self.openings[0])

    @property
    def open(self) -> float:
        """m, the largest opening."""
        return float(self.openings[-1])

    def joint_positions(self, opening: np.ndarray | float) -> np.ndarray:
        """(..., j) rad or m of the joints at openings (...) m; beyond the range its end."""
        opening = np.asarray(opening, dtype=float)
        columns = [np.interp(opening, self.openings, column) for column in self.positions.T]
        return np.stack(columns, axis=-1)

    def opening(self, position: np.ndarray) -> float:
        """m at joint positions (n,) in robot order: the mean of what each joint says."""
        found = 0.0
        for joint, column in zip(self.joints, self.positions.T, strict=True):
            rising = column[-1] > column[0]
            knots, values = (
                (column, self.openings) if rising else (column[::-1], self.openings[::-1])
            )
            found += float(np.interp(position[joint], knots, values))
        return found / len(self.joints)

    def slope(self, opening: float) -> np.ndarray:
        """(j,) dq/d(opening) of the row of the table that an opening (m) is in."""
        row = int(np.clip(np.searchsorted(self.openings, opening) - 1, 0, len(self.openings) - 2))
        step = self.openings[row + 1] - self.openings[row]
        return (self.positions[row + 1] - self.positions[row]) / step

    def closing_force(self, effort: np.ndarray, opening: float) -> float:
        """N that joint efforts (n,) in robot order press with; negative where they open."""
        return -float(effort[self.joints] @ self.slope(opening))

    def joint_effort(self, force: float) -> np.ndarray:
        """(j,) effort of each joint (Nm, N), all alike in work, that presses with at most `force`
        N wherever the gripper is."""
        steepest = np.abs(_slopes(self.openings, self.positions)).max(axis=0)
        return force / (len(self.joints) * steepest)

    def joint_speed(self, speed: float) -> np.ndarray:
        """(j,) rad/s or m/s at which the opening changes by at most `speed` m/s everywhere."""
        return speed * np.abs(_slopes(self.openings, self.positions)).min(axis=0)


def _slopes(openings: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(k - 1, j) dq/d(opening)."""
    return np.diff(positions, axis=0) / np.diff(openings)[:, None]


def read_grippers(
    fields: ConfigReader,
    index: dict[str, int],
    lower: np.ndarray,
    upper: np.ndarray,
    velocity: np.ndarray,
    effort: np.ndarray,
) -> dict[str, Gripper]:
    """The section `grippers` of robot.yaml; empty where there is none.

    index: joint to place in robot order. The limits are the URDF's, (n,). Raises ConfigError.
    """
    found: dict[str, Gripper] = {}
    for name, section in fields.sections('grippers', {}).items():
        if name in index:
            raise fields.error(f'grippers.{name}', name, 'another name than that of a joint')
        gripper = _gripper(name, section, index)
        for other in found.values():
            shared = set(gripper.joint_names) & set(other.joint_names)
            if shared:
                raise section.error('positions', min(shared), f'a joint that {other.name} lacks')
        _check_limits(section, gripper, lower, upper, velocity, effort)
        section.close()
        found[name] = gripper
    return found


def _gripper(name: str, section: ConfigReader, index: dict[str, int]) -> Gripper:
    openings = np.array(section.numbers('openings', lo=0.0, hi=WIDEST))
    if len(openings) < 2 or not (np.diff(openings) >= LEAST_STROKE).all():
        raise section.error('openings', openings.tolist(), 'two or more rising openings in m')
    table = section.section('positions')
    names = tuple(table.keys())
    if not names:
        raise section.error('positions', 'no joint', 'a joint and its position at each opening')
    columns = []
    for joint in names:
        if joint not in index:
            raise table.error(joint, 'an unknown joint', 'a joint of `joints`')
        column = np.array(table.numbers(joint, length=len(openings)))
        steps = np.diff(column)
        if not ((steps > 0.0).all() or (steps < 0.0).all()):
            raise table.error(joint, column.tolist(), 'positions that only rise, or only fall')
        columns.append(column)
    table.close()
    force = section.number('force', lo=0.1, hi=10_000.0)
    gripper = Gripper(
        name=name,
        joints=np.array([index[joint] for joint in names], dtype=int),
        joint_names=names,
        openings=openings,
        positions=np.column_stack(columns),
        force=force,
        grip_force=section.number('grip_force', force, lo=0.1, hi=force),
        speed=section.number('speed', lo=0.001, hi=10.0),
        estop=section.text('estop', 'hold', choices=ESTOP),
    )
    for array in (gripper.joints, gripper.openings, gripper.positions):
        array.setflags(write=False)
    return gripper


def _check_limits(
    section: ConfigReader,
    gripper: Gripper,
    lower: np.ndarray,
    upper: np.ndarray,
    velocity: np.ndarray,
    effort: np.ndarray,
) -> None:
    """A table, a speed or a force beyond what the URDF allows its joints."""
    speeds, efforts = gripper.joint_speed(gripper.speed), gripper.joint_effort(gripper.force)
    for k, (i, joint) in enumerate(zip(gripper.joints, gripper.joint_names, strict=True)):
        column = gripper.positions[:, k]
        if not (column.min() >= lower[i] - 1e-9 and column.max() <= upper[i] + 1e-9):
            wanted = f'positions inside the limits of the URDF, {lower[i]:g} to {upper[i]:g}'
            raise section.error(f'positions.{joint}', column.tolist(), wanted)
        if not speeds[k] <= velocity[i] + 1e-9:
            most = gripper.speed * velocity[i] / speeds[k]
            wanted = f'at most {_down(most):g} m/s: the URDF allows {joint} {velocity[i]:g}'
            raise section.error('speed', gripper.speed, wanted)
        if not efforts[k] <= effort[i] + 1e-9:
            most = gripper.force * effort[i] / efforts[k]
            wanted = f'at most {_down(most):g} N: the URDF allows {joint} {effort[i]:g}'
            raise section.error('force', gripper.force, wanted)


def _down(value: float) -> float:
    """Rounded down to three digits, so that what is suggested is accepted."""
    scale = 10.0 ** (2 - math.floor(math.log10(value)))
    return math.floor(value * scale) / scale
