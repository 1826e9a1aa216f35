# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Names for everything that the filter rejects or changes."""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple

from vla_common.states import Level


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
    # A chunk at the wrong time. It is ignored; what is tracked goes on to its own end.
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
    # A command that the coupled limits changed.
    COLLISION = 'collision'
    WORKSPACE = 'workspace'
    CENTRE_OF_MASS = 'centre_of_mass'
    PROXIMITY = 'proximity'
    POWER = 'power'
    UNPROVEN = 'unproven'
    # What makes the filter brake whatever was asked.
    INFEASIBLE = 'infeasible'
    STATE_STALE = 'state_stale'
    SUPERVISOR_SILENT = 'supervisor_silent'
    LATE_TICK = 'late_tick'


#: How bad each kind is. Shaping what a policy asks for is everyday work (SAFE); asking for what the
#: robot cannot or must not do is told (WARNING); what cannot be trusted at all is DANGER, which the
#: supervisor turns into half speed and, if it lasts, into a stop. Nothing here is EMERGENCY: a
#: command that never left the filter has hurt nobody.
LEVELS: dict[ViolationKind, Level] = {
    ViolationKind.NOT_FINITE: Level.DANGER,
    ViolationKind.UNKNOWN_JOINT: Level.DANGER,
    ViolationKind.DUPLICATE_JOINT: Level.DANGER,
    ViolationKind.WRONG_SHAPE: Level.DANGER,
    ViolationKind.WRONG_TIMES: Level.DANGER,
    ViolationKind.TOO_LONG: Level.DANGER,
    ViolationKind.IMPLAUSIBLE: Level.DANGER,
    ViolationKind.STALE: Level.WARNING,
    ViolationKind.FUTURE: Level.WARNING,
    ViolationKind.REPLAYED: Level.WARNING,
    ViolationKind.POSITION: Level.WARNING,
    ViolationKind.BRAKING: Level.WARNING,
    ViolationKind.VELOCITY: Level.WARNING,
    ViolationKind.ACCELERATION: Level.SAFE,
    ViolationKind.TORQUE: Level.WARNING,
    ViolationKind.JERK: Level.SAFE,
    ViolationKind.SPEED_SCALE: Level.SAFE,
    ViolationKind.COLLISION: Level.WARNING,
    ViolationKind.WORKSPACE: Level.WARNING,
    ViolationKind.CENTRE_OF_MASS: Level.WARNING,
    ViolationKind.PROXIMITY: Level.WARNING,
    ViolationKind.POWER: Level.WARNING,
    ViolationKind.UNPROVEN: Level.WARNING,
    ViolationKind.INFEASIBLE: Level.DANGER,
    ViolationKind.STATE_STALE: Level.DANGER,
    ViolationKind.SUPERVISOR_SILENT: Level.DANGER,
    ViolationKind.LATE_TICK: Level.WARNING,
}

#: Rejections that say something about the chunk's content, not about its time: its sender cannot be
#: trusted, so the motion that it sent before is given up too.
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


class Violation(NamedTuple):
    """One rejection or change, as in vla_interfaces/Violation.

    Attributes:
        kind: what was broken.
        subject: joint or link; empty where it is the whole command.
        value: what was asked for, in the kind's SI unit (NaN where there is no number).
        limit: the bound that it broke, same unit.
        level: how bad.
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
