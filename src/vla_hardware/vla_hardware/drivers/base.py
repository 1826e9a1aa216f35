# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The seam to the robot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_robot import Reading


class DriverError(RuntimeError):
    """The robot could not be read, written or reached; the text says what happened."""


@dataclass(frozen=True, eq=False)
class Gains:
    """Servo gains of all joints: kp Nm/rad and kv Nms/rad, each (n,).

    Compared by identity: a driver that has to send gains sends them when the object changes.
    """

    kp: np.ndarray
    kv: np.ndarray


class Driver(Protocol):
    """A robot that can be read and steered at the servo loop's rate, from one thread.

    read and write should come back within a millisecond. One that can block (a bus, a vendor's
    library) belongs on a thread of the driver's own, which leaves the newest reading for `read`
    and raises `DriverError` here when that reading has grown old.
    """

    def connect(self) -> None:
        """Reaches the robot; it does not move. Raises DriverError."""

    def read(self) -> Reading:
        """The newest reading. Raises DriverError."""

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        """Sets the servos' targets: rad, rad/s, feed-forward Nm, each (n,). Raises DriverError."""

    def power(self, on: bool) -> None:
        """Switches the motors."""

    @property
    def real_time_factor(self) -> float:
        """Simulated over wall time during the last second; 1.0 on hardware."""

    def close(self) -> None:
        """Leaves the robot as it stands. Must not raise."""
