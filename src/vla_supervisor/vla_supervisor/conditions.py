# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Conditions (what is wrong now) and causes (conditions kept through the stop they made)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from vla_common.states import Level


class Reaction(IntEnum):
    """What a condition does while it is present, mildest first."""

    REPORT = 0  # listed, no more
    REFUSE_START = 1  # READY is allowed, RUNNING is not
    REFUSE = 2  # arm, resume and start are refused
    SOFT_STOP = 3  # and out of READY and RUNNING: SAFE_STOP
    DRIVER_LOST = 4  # and out of every mode but INACTIVE: ESTOP
    HARD_STOP = 5  # and out of every mode: ESTOP


@dataclass(frozen=True)
class Condition:
    """One fact that prevents motion.

    ``name`` is stable (programs match it), ``source`` is the node, endpoint or operator it came
    from. ``detail`` (what was observed) and ``clears`` (what ends it) are texts for the operator.
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
    """A condition that prevents arming, but stops nothing."""
    return Condition(name, source, detail, clears, Reaction.REFUSE, Level.WARNING)


@dataclass(frozen=True)
class LatchedCause:
    """A condition with its history: it stays listed through the stop it made, even when gone."""

    condition: Condition
    present: bool
    since: float  # s, when it appeared first in this stop


class CauseList:
    """The causes of the present stop; outside of a stop, the present conditions."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str], LatchedCause] = {}

    def update(self, now: float, conditions: Iterable[Condition]) -> None:
        """Add new conditions, mark the others as gone."""
        present = {(c.name, c.source): c for c in conditions}
        for key, cause in list(self._causes.items()):
            if key not in present and cause.present:
                self._causes[key] = replace(cause, present=False)
        for key, condition in present.items():
            old = self._causes.get(key)
            since = old.since if old is not None else now
            self._causes[key] = LatchedCause(condition, True, since)

    def add_momentary(self, now: float, condition: Condition) -> None:
        """Add what happened at one instant and is over."""
        key = (condition.name, condition.source)
        self._causes[key] = LatchedCause(condition, False, now)

    def drop_gone(self) -> None:
        """Keep the present ones only."""
        self._causes = {key: cause for key, cause in self._causes.items() if cause.present}

    def __call__(self) -> tuple[LatchedCause, ...]:
        """Oldest first."""
        return tuple(sorted(self._causes.values(), key=lambda cause: cause.since))
