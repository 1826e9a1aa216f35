# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Levels, modes, behaviours and states, as the constants of the messages in vla_interfaces.

A test compares each enumeration with its .msg file.
"""

from enum import Enum, IntEnum


class Level(IntEnum):
    """Severity (`Violation.msg`)."""

    SAFE = 0
    WARNING = 1
    DANGER = 2
    EMERGENCY = 3


class Hysteresis:
    """A level that rises at once and falls only after a time with lower input.

    It falls to the worst level of that time, so that an input that alternates between two levels
    holds the upper one.

    fall_after: s for which the input has to stay lower.
    """

    def __init__(self, fall_after: float) -> None:
        self._fall_after = fall_after
        self._level = Level.SAFE
        self._lower_since: float | None = None
        self._worst_since = Level.SAFE

    @property
    def level(self) -> Level:
        """The level in force since the last update."""
        return self._level

    def update(self, level: Level, now: float) -> Level:
        """Update with the input at steady time `now` (s); return the level in force."""
        if level >= self._level:
            self._level = level
            self._lower_since = None
            return self._level
        if self._lower_since is None:
            self._lower_since, self._worst_since = now, level
        self._worst_since = max(self._worst_since, level)
        if now - self._lower_since >= self._fall_after:
            self._level = self._worst_since
            self._lower_since = None
        return self._level


class Mode(IntEnum):
    """What the supervisor allows (`SupervisorState.msg`).

    The table of transitions is in `vla_supervisor.transitions`.
    """

    INACTIVE = 0
    READY = 1
    RUNNING = 2
    SAFE_STOP = 3
    ESTOP = 4


class Behaviour(IntEnum):
    """What the hardware driver does by itself, at its own rate (`SupervisorState.msg`)."""

    HOLD = 0
    STAND = 1
    DAMP = 2
    OFF = 3
    TRACK = 4

    @property
    def passive(self) -> bool:
        """No stiffness: the position reference does not steer the servos."""
        return self is Behaviour.DAMP or self is Behaviour.OFF


class EstopBehaviour(Enum):
    """What an e-stop does to the motors (`stops.estop` in robot.yaml)."""

    DAMP = 'damp'
    DAMP_THEN_OFF = 'damp_then_off'
    OFF = 'off'

    def switches_off(self, damping_over: bool) -> bool:
        """Whether the motors go off now.

        damping_over: the damped robot is at rest, or had its time, or does not slow down.
        """
        return self is EstopBehaviour.OFF or (self is EstopBehaviour.DAMP_THEN_OFF and damping_over)


class FilterState(IntEnum):
    """What the safety filter does in a tick (`SafetyStatus.msg`)."""

    NO_CHUNK = 0
    TRACKING = 1
    BRAKING = 2
    INFEASIBLE = 3
    GATED = 4


class InferenceState(IntEnum):
    """What the inference node does (`InferenceStatus.msg`)."""

    IDLE = 0
    ACTIVE = 1
    FALLBACK = 2
    BLOCKED = 3
    UNLOADED = 4
