# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Modes, behaviours, levels and states, as the constants of the messages in vla_interfaces.

A test compares each enumeration with its .msg file.
"""

from enum import IntEnum


class Level(IntEnum):
    """Severity (`Violation.msg`)."""

    SAFE = 0
    WARNING = 1
    DANGER = 2
    EMERGENCY = 3


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
