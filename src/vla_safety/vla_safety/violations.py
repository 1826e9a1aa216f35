# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Violations: everything that the filter rejects or changes, by name and level."""

import math
from enum import Enum
from typing import NamedTuple

from vla_common.states import Level

REPORTED = 8
"""Violations listed per tick; all are counted."""

CHANGE = 1e-9
"""rad/s; a smaller difference between wanted and sent is rounding, not a change."""


class ViolationKind(str, Enum):
    """Stable identifiers, published in SafetyStatus and counted since activation."""

    # A chunk that is not a command. It is rejected whole, and what was tracked is dropped.
    NOT_FINITE = 'not_finite'
    UNKNOWN_JOINT = 'unknown_joint'
    DUPLICATE_JOINT = 'duplicate_joint'
    WRONG_SHAPE = 'wrong_shape'
    WRONG_TIMES = 'wrong_times'
    TOO_LONG = 'too_long'
    IMPLAUSIBLE = 'implausible'
    # A chunk at the wrong time. It is ignored; what is tracked continues to its own end.
    STALE = 'stale'
    FUTURE = 'future'
    REPLAYED = 'replayed'
    # A command that the box changed.
    POSITION = 'position'
    BRAKING = 'braking'
    VELOCITY = 'velocity'
    ACCELERATION = 'acceleration'
    TORQUE = 'torque'
    JERK = 'jerk'
    SPEED_SCALE = 'speed_scale'
    GRIP_FORCE = 'grip_force'
    # A command that the coupled limits changed.
    COLLISION = 'collision'
    WORKSPACE = 'workspace'
    CENTRE_OF_MASS = 'centre_of_mass'
    PROXIMITY = 'proximity'
    POWER = 'power'
    UNPROVEN = 'unproven'
    OBSTACLE_STALE = 'obstacle_stale'
    # Reasons to brake whatever the target is.
    INFEASIBLE = 'infeasible'
    STATE_STALE = 'state_stale'
    SUPERVISOR_SILENT = 'supervisor_silent'
    LATE_TICK = 'late_tick'


#: Rejections for the chunk's content, not for its time: its sender cannot be trusted, so the motion
#: that it sent before is dropped too.
CONTENT_KINDS = frozenset(
    {
        ViolationKind.NOT_FINITE,
        ViolationKind.UNKNOWN_JOINT,
        ViolationKind.DUPLICATE_JOINT,
        ViolationKind.WRONG_SHAPE,
        ViolationKind.WRONG_TIMES,
        ViolationKind.TOO_LONG,
        ViolationKind.IMPLAUSIBLE,
    }
)

#: SAFE: shaping what a policy requests is everyday work. WARNING: the request was beyond what the
#: robot can or may do. DANGER: the source cannot be trusted; the supervisor halves the speed and,
#: if it lasts, stops. None is EMERGENCY: no such command left the filter.
LEVELS: dict[ViolationKind, Level] = dict.fromkeys(ViolationKind, Level.WARNING)
LEVELS |= dict.fromkeys(CONTENT_KINDS, Level.DANGER)
LEVELS |= dict.fromkeys(
    (ViolationKind.INFEASIBLE, ViolationKind.STATE_STALE, ViolationKind.SUPERVISOR_SILENT),
    Level.DANGER,
)
LEVELS |= dict.fromkeys(
    (
        ViolationKind.ACCELERATION,
        ViolationKind.JERK,
        ViolationKind.SPEED_SCALE,
        ViolationKind.GRIP_FORCE,
    ),
    Level.SAFE,
)


class Violation(NamedTuple):
    """One rejection or change, as in vla_interfaces/Violation.

    Attributes:
        kind: what was broken.
        subject: joint or link; empty where it is the whole command.
        value: requested, in the kind's SI unit (NaN where there is no number).
        limit: the bound that it broke, same unit.
        level: of the kind.
    """

    kind: ViolationKind
    subject: str
    value: float
    limit: float
    level: Level

    def __str__(self) -> str:
        subject = f' {self.subject}' if self.subject else ''
        limit = '' if math.isnan(self.limit) else f' (limit {self.limit:.4g})'
        return f'{self.kind.value}{subject}: {self.value:.4g}{limit}'


def violation(
    kind: ViolationKind, subject: str = '', value: float = math.nan, limit: float = math.nan
) -> Violation:
    """A Violation with the level that its kind always has."""
    return Violation(kind, subject, float(value), float(limit), LEVELS[kind])


class TickLog:
    """The violations of one tick.

    Args:
        names: (n) joint names.

    Attributes:
        counts: every violation by kind.
        listed: the first ones in full.
        changed: whether a joint's velocity was changed.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.counts: dict[ViolationKind, int] = {}
        self.listed: list[Violation] = []
        self.changed = False

    def count(self, kind: ViolationKind, times: int) -> None:
        """Count without listing."""
        if times:
            self.counts[kind] = self.counts.get(kind, 0) + times

    def add(self, item: Violation) -> None:
        self.count(item.kind, 1)
        self.listed.append(item)

    def change(self, kind: ViolationKind, joint: int, value: float, limit: float) -> None:
        """A joint's velocity was changed: `value` was requested, `limit` allowed."""
        self.changed = True
        self.count(kind, 1)
        if len(self.listed) < REPORTED:
            self.listed.append(violation(kind, self._names[joint], value, limit))

    def sort(self) -> None:
        """The worst first."""
        if len(self.listed) > 1:
            self.listed.sort(key=lambda item: -item.level)
