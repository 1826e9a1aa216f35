# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What can be wrong, as values: a condition is there *now*, or not; latching is core's work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vla_common.states import Level


class Reaction(IntEnum):
    """What a condition does while it is present, mildest first."""

    TELL = 0  # listed, no more
    REFUSE_START = 1  # READY is allowed, RUNNING is not
    REFUSE = 2  # arm, resume and start are refused
    SOFT_STOP = 3  # and out of READY and RUNNING: SAFE_STOP
    DRIVER_LOST = 4  # and out of every mode but INACTIVE: ESTOP
    HARD_STOP = 5  # and out of every mode: ESTOP


@dataclass(frozen=True)
class Condition:
    """One fact that stands in the way of motion.

    ``name`` is stable (programs match it), ``source`` is the node, endpoint or person it came from,
    ``detail`` and ``clears`` are for a person: what was seen, and what makes it go away.
    """

    name: str
    source: str
    detail: str
    clears: str
    reaction: Reaction
    level: Level


def soft(name: str, source: str, detail: str, clears: str) -> Condition:
    """A condition that stops the robot standing (SAFE_STOP)."""
    return Condition(name, source, detail, clears, Reaction.SOFT_STOP, Level.DANGER)


def hard(name: str, source: str, detail: str, clears: str) -> Condition:
    """A condition that is an emergency stop in every mode."""
    return Condition(name, source, detail, clears, Reaction.HARD_STOP, Level.EMERGENCY)


def refuse(name: str, source: str, detail: str, clears: str) -> Condition:
    """A condition that keeps the robot from being armed, but stops nothing."""
    return Condition(name, source, detail, clears, Reaction.REFUSE, Level.WARNING)
