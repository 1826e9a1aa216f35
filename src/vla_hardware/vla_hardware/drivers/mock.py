# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot without physics, with injectable faults.

Each joint follows its target as a first-order lag; without stiffness it stays where it is. The
base is upright and each foot carries half the weight.
"""

import time
from collections.abc import Callable
from typing import Self

import numpy as np

from vla_common.parameters import Parameters
from vla_hardware.drivers.base import DeviceJoints, DriverError, Gains, require_finite
from vla_robot import Reading, RobotModel

GRAVITY = 9.81


class MockDriver:
    """First-order joints: dq/dt = (target - q) / lag, at most `speed` rad/s.

    A test may set these at any time from its own thread:
    read_fault: None or one of 'error', 'hang', 'nan', 'wrong_shape', 'jump';
    hang_seconds: how long 'hang' blocks; write_fault: whether `write` raises.
    """

    can_fall = False  # the base never tilts: a correction would only follow the lag of the joints
    stiffen_time = 0.3
    can_grip = True
    when_killed = 'it ends with the process'

    def __init__(
        self,
        start: np.ndarray,
        speed: np.ndarray,
        mass: float = 50.0,
        lag: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
        joints: DeviceJoints | None = None,
    ) -> None:
        n = len(start)
        self._joints = joints
        self._position = start.copy()
        self._velocity = np.zeros(n)
        self.target = start.copy()  # rad, last written
        self._effort = np.zeros(n)
        self._speed = speed
        self._mass = mass
        self._lag = lag
        self._clock = clock
        self._time: float | None = None
        self._stiff = np.zeros(n, dtype=bool)
        self._reads = 0
        self.gains: Gains | None = None
        self.powered = False
        self.connected = False
        self.writes = 0
        self.read_fault: str | None = None
        self.write_fault = False
        self.hang_seconds = 0.5

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        return cls(
            robot.poses['standing'],
            robot.limits.velocity,
            robot.total_mass,
            clock=clock,
            joints=DeviceJoints.of(robot),
        )

    @property
    def real_time_factor(self) -> float:
        return 1.0

    def connect(self) -> None:
        self.connected = True
        self._time = self._clock()

    def device_joints(self) -> DeviceJoints | None:
        return self._joints

    def power(self, on: bool) -> None:
        self.powered = on

    def read(self) -> Reading:
        if not self.connected:
            raise DriverError('mock: not connected')
        now = self._clock()
        self._advance(now - (self._time if self._time is not None else now))
        self._time = now
        self._reads += 1
        position, velocity = self._position.copy(), self._velocity.copy()
        fault = self.read_fault
        if fault == 'error':
            raise DriverError('mock: injected read error')
        if fault == 'hang':
            time.sleep(self.hang_seconds)
        elif fault == 'nan':
            position[self._reads % len(position)] = np.nan
        elif fault == 'wrong_shape':
            position = position[: len(position) // 2]
        elif fault == 'jump':
            position[len(position) // 2 :] += 1.0 if self._reads % 2 else -1.0
        half = np.array([0.0, 0.0, 0.5 * self._mass * GRAVITY, 0.0, 0.0, 0.0])
        return Reading(
            position=position,
            velocity=velocity,
            effort=self._effort.copy(),
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            angular_velocity=np.zeros(3),
            linear_acceleration=np.array([0.0, 0.0, GRAVITY]),
            left_wrench=half,
            right_wrench=half.copy(),
        )

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        if self.write_fault:
            raise DriverError('mock: injected write error')
        require_finite(position, velocity, effort)
        self.writes += 1
        self.target[:] = position
        self._effort[:] = effort
        self.gains = gains
        self._stiff = gains.kp > 0.0

    def close(self) -> None:
        self.connected = False

    def _advance(self, dt: float) -> None:
        if not (self.powered and self._stiff.any()) or dt <= 0.0:
            self._velocity[:] = 0.0
            return
        before = self._position.copy()
        step = (self.target - before) * (1.0 - np.exp(-dt / self._lag))
        step[~self._stiff] = 0.0
        limit = self._speed * dt
        self._position += np.clip(step, -limit, limit)
        self._velocity[:] = (self._position - before) / dt
