# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of a robot: what the driver contract observes and breaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from vla_hardware.drivers.base import Driver
from vla_robot import RobotModel


class DriverDouble(Protocol):
    """A robot that is not there. It does what the driver commands, and misbehaves on request."""

    what: str
    """What it is, for the report: a wire-level double, a simulation."""

    has_wire: bool
    """False: the robot is inside the driver; what only a connection can do is not tested."""

    params: Mapping[str, Any]
    """Parameters of hardware_driver with which a driver reaches it."""

    error_states: tuple[str, ...]
    """The states in which the robot stops by itself, for `enter`."""

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        """Start it, at rest in a pose within its limits, motors off. folder: for its files."""

    def attach(self, driver: Driver) -> Driver:
        """The driver as the contract uses it; the driver itself where there is a wire."""

    def position(self) -> np.ndarray | None:
        """(n,) rad, where the joints really are; None where it is not known."""

    def stiff(self) -> bool:
        """Whether its motors hold or move the joints."""

    def commands(self) -> int:
        """How many commands that move or hold joints it has received."""

    def pull_cable(self) -> None:
        """Cut the connection as a pulled cable does: no answer, nothing is received."""

    def plug_cable(self) -> None:
        """The connection is there again. Where the device node changes, under the same name."""

    def freeze(self, frozen: bool) -> None:
        """It answers nothing, or only what it said before; the connection stays."""

    def enter(self, state: str) -> None:
        """Stop by itself, in one of `error_states`; '' ends the state."""

    def close(self) -> None:
        """End it."""
