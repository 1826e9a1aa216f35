# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver protocol: what a robot implements to run under the servo loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np

from vla_common.parameters import Parameters
from vla_robot import Reading, RobotModel

if TYPE_CHECKING:  # the computer of a real robot has no simulator
    from vla_sim import World


class DriverError(RuntimeError):
    """The robot could not be reached, read or written.

    cause: what happened. action: what the operator does about it. stopped: the robot reports that
    it stopped by itself (its e-stop, a protective stop, an error of a motor), which is a fault at
    once; any other error is one after `errors_to_fault` in a row.
    """

    def __init__(self, cause: str, action: str = '', *, stopped: bool = False) -> None:
        super().__init__(f'{cause}: {action}' if action else cause)
        self.cause, self.action, self.stopped = cause, action, stopped


@dataclass(frozen=True, eq=False)
class Gains:
    """Servo gains of all joints: kp Nm/rad and kv Nms/rad, each (n,).

    Compared by identity: a driver that has to send gains sends them when the object changes.
    """

    kp: np.ndarray
    kv: np.ndarray


@dataclass(frozen=True, eq=False)
class DeviceJoints:
    """The joints as the robot itself has them, in the order of `Reading.position`.

    names: by the robot's own table, not a copy of robot.yaml. lower, upper: (n,) rad, the positions
    that the robot accepts; -inf and inf where its protocol does not tell.
    """

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, robot: RobotModel) -> Self:
        """Those of a device that is made from the robot directory: a simulation."""
        return cls(robot.joint_names, robot.limits.lower, robot.limits.upper)


def require_finite(*arrays: np.ndarray) -> None:
    """Raise DriverError where a value is not finite: the last line before the robot."""
    # A sum of squares is finite only if every term is.
    if not math.isfinite(sum(float(array @ array) for array in arrays)):
        raise DriverError('the servo target is not finite')


class Driver(Protocol):
    """A robot that is read and commanded once per servo cycle, from one thread.

    All joint arrays are (n,) in the robot's joint order, in SI units. `read` and `write` return
    within a millisecond; a read that takes longer than `read_deadline` counts as an error. A bus
    or a vendor library that can block belongs on a thread of the driver's own, which keeps the
    newest reading for `read`; `read` raises `DriverError` once that reading is too old. Any other
    exception counts as an error too; `errors_to_fault` errors in a row damp the robot.

    `ros2 run vla_validation driver --driver NAME` tests all of this.
    """

    can_fall: bool
    """False switches the balance correction off (a fixed base, or no physics)."""

    stiffen_time: float
    """s in which the stiffness rises from zero when the motors become stiff. 0 for a simulated
    biped, which would sink meanwhile. 0.5 where a driver does not say."""

    can_grip: bool
    """Whether each joint has a stiffness of its own: `write` may damp the arm and keep a gripper
    stiff in one call. False where a driver does not say; then grippers are refused at configure."""

    when_killed: str
    """What the robot does when this process is killed, for the operator."""

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        """Create the driver at configure; nothing is connected yet.

        params: of the node hardware_driver. clock: steady, s. Raises ConfigError.
        """

    def connect(self) -> None:
        """Connect to the robot, at configure, within 5 s. The robot does not move, and its motors
        stay as they are. Raises DriverError, ConfigError."""

    def device_joints(self) -> DeviceJoints:
        """The joints of the connected robot, compared with robot.yaml at configure."""

    def read(self) -> Reading:
        """Return the newest reading. Raises DriverError."""

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        """Set the servo targets: rad, rad/s, feed-forward Nm. Raises DriverError, also for a value
        that is not finite.

        The arrays are reused after the call: copy what is kept. A thread of the driver's own sends
        a target again for at most 0.1 s: when the servo loop hangs, the watchdog in the robot has
        to notice. After an error, nothing of before it is sent again. The motor torque is
        kp (position - q) + kv (velocity - q̇) + effort.
        """

    def power(self, on: bool) -> None:
        """Switch the motors; called on a change, before `write`. Raises DriverError."""

    @property
    def real_time_factor(self) -> float:
        """Simulated time per wall time in the last second; 1.0 on hardware."""

    def close(self) -> None:
        """Disconnect and leave the robot as it is, within 1 s. Does not raise, also twice."""


@runtime_checkable
class SimulatedDriver(Protocol):
    """What a simulation offers beyond `Driver`; the node then offers /sim topics and services."""

    world: World

    def reset(self, suspended: bool) -> None:
        """Put the robot back into the standing pose; see `MujocoDriver.reset`."""

    def push(self, force: np.ndarray, duration: float, link: str) -> None:
        """Push a link with a force (3,) N in the world frame for `duration` s."""
