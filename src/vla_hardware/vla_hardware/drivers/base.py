# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver protocol: what a robot implements to run under the servo loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np

from vla_common.parameters import Parameters
from vla_robot import Reading, RobotModel

if TYPE_CHECKING:  # the computer of a real robot has no simulator
    from vla_sim import World


class DriverError(RuntimeError):
    """The robot could not be reached, read or written; the text says what happened."""


@dataclass(frozen=True, eq=False)
class Gains:
    """Servo gains of all joints: kp Nm/rad and kv Nms/rad, each (n,).

    Compared by identity: a driver that has to send gains sends them when the object changes.
    """

    kp: np.ndarray
    kv: np.ndarray


class Driver(Protocol):
    """A robot that is read and commanded once per servo cycle, from one thread.

    All joint arrays are (n,) in the robot's joint order, in SI units. `read` and `write` return
    within a millisecond; a read that takes longer than `read_deadline` counts as an error. A bus
    or a vendor library that can block belongs on a thread of the driver's own, which keeps the
    newest reading for `read`; `read` raises `DriverError` once that reading is too old. Any other
    exception counts as an error too; `errors_to_fault` errors in a row damp the robot.
    """

    can_fall: bool
    """False switches the balance correction off (a fixed base, or no physics)."""

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        """Create the driver at configure; nothing is connected yet.

        params: of the node hardware_driver. clock: steady, s. Raises ConfigError.
        """

    def connect(self) -> None:
        """Connect to the robot, at configure. The robot does not move. Raises DriverError."""

    def read(self) -> Reading:
        """Return the newest reading. Raises DriverError."""

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        """Set the servo targets: rad, rad/s, feed-forward Nm. Raises DriverError.

        The arrays are reused after the call: copy what is kept. The motor torque is
        kp (position - q) + kv (velocity - q̇) + effort.
        """

    def power(self, on: bool) -> None:
        """Switch the motors; called on a change, before `write`. Raises DriverError."""

    @property
    def real_time_factor(self) -> float:
        """Simulated time per wall time in the last second; 1.0 on hardware."""

    def close(self) -> None:
        """Disconnect and leave the robot as it is. Does not raise."""


@runtime_checkable
class SimulatedDriver(Protocol):
    """What a simulation offers beyond `Driver`; the node then offers /sim topics and services."""

    world: World

    def reset(self, suspended: bool) -> None:
        """Put the robot back into the standing pose; see `MujocoDriver.reset`."""

    def push(self, force: np.ndarray, duration: float, link: str) -> None:
        """Push a link with a force (3,) N in the world frame for `duration` s."""
