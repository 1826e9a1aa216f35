# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of a driver whose robot is inside it (`mock`, `mujoco`): no wire to break.

A pulled cable is calls that raise, which measures the servo loop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from vla_hardware.drivers.base import Driver, DriverError, Gains
from vla_robot import Reading, RobotModel


class _Broken:
    """Passes calls on while the cable is plugged."""

    def __init__(self, driver: Driver, double: InProcess) -> None:
        self._driver, self._double = driver, double

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def read(self) -> Reading:
        self._double.require_cable()
        return self._driver.read()

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        self._double.require_cable()
        self._driver.write(position, velocity, effort, gains)
        self._double.stiff_now = bool(gains.kp[self._double.body].any())
        self._double.received += self._double.stiff_now


class InProcess:
    """See the module and `DriverDouble`."""

    what = 'inside the driver: no wire'
    has_wire = False
    params: dict[str, Any] = {}  # noqa: RUF012
    error_states = ()

    def __init__(self, robot: RobotModel) -> None:
        self.body = np.setdiff1d(np.arange(robot.n), robot.gripper_joints)  # a grip stays stiff
        self.plugged = True
        self.stiff_now = False
        self.received = 0

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot)

    def attach(self, driver: Driver) -> Driver:
        self.stiff_now = False  # a new driver is a new robot
        return _Broken(driver, self)

    def require_cable(self) -> None:
        if not self.plugged:
            raise DriverError('the connection is cut', 'plug the cable')

    def position(self) -> None:
        return None

    def stiff(self) -> bool:
        return self.stiff_now

    def commands(self) -> int:
        return self.received

    def pull_cable(self) -> None:
        self.plugged = False

    def plug_cable(self) -> None:
        self.plugged = True

    def freeze(self, frozen: bool) -> None:
        self.plugged = not frozen

    def enter(self, state: str) -> None:
        raise NotImplementedError('it has no error states')

    def close(self) -> None:
        pass
