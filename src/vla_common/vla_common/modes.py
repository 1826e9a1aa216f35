# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The supervisor's modes and the driver's behaviours, as `vla_interfaces/msg/SupervisorState`."""

from enum import IntEnum


class Mode(IntEnum):
    """What the supervisor allows; the table of transitions is in `vla_supervisor.transitions`."""

    INACTIVE = 0
    READY = 1
    RUNNING = 2
    SAFE_STOP = 3
    ESTOP = 4


class Behaviour(IntEnum):
    """What the hardware driver does by itself, at its own rate."""

    HOLD = 0
    STAND = 1
    DAMP = 2
    OFF = 3
    TRACK = 4
