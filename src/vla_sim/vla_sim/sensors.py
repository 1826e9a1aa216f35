# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Simulated sensors: encoders, IMU and foot forces, with noise and delay."""

from collections import deque
from dataclasses import dataclass
from typing import Self

import mujoco
import numpy as np

from vla_robot import Reading, RobotModel


@dataclass(frozen=True)
class SensorNoise:
    """Standard deviations of white noise: rad, rad/s, Nm, rad, rad/s, m/s², N, Nm."""

    position: float = 0.0
    velocity: float = 0.0
    effort: float = 0.0
    orientation: float = 0.0
    angular_velocity: float = 0.0
    linear_acceleration: float = 0.0
    force: float = 0.0
    torque: float = 0.0

    @classmethod
    def typical(cls) -> Self:
        """About that of good encoders, a MEMS IMU and strain-gauge feet."""
        return cls(
            position=2e-4,
            velocity=5e-3,
            effort=0.1,
            orientation=1e-3,
            angular_velocity=5e-3,
            linear_acceleration=0.05,
            force=1.0,
            torque=0.05,
        )


class Sensors:
    """The sensors of one simulated robot.

    Args:
        model: of `mujoco_model.build`.
        noise: None for none.
        delay: physics steps by which a reading is late.
    """

    def __init__(
        self, model: mujoco.MjModel, robot: RobotModel, noise: SensorNoise | None, delay: int
    ) -> None:
        self._model = model
        self._noise = noise
        n = robot.n
        # Added in this order: positions, velocities, efforts, then the others.
        self._positions, self._velocities, self._efforts = (
            slice(k * n, (k + 1) * n) for k in range(3)
        )
        self._orientation = self._slice('orientation')
        self._angular_velocity = self._slice('angular_velocity')
        self._linear_acceleration = self._slice('linear_acceleration')
        self._wrenches = [
            slice(self._slice(f'{foot}/force').start, self._slice(f'{foot}/torque').stop)
            for foot in (('left_foot', 'right_foot') if robot.foot_boxes else ())
        ]
        self._history: deque[np.ndarray] | None = deque(maxlen=delay + 1) if delay else None

    @property
    def delayed(self) -> bool:
        """Whether `record` is needed after every step."""
        return self._history is not None

    def restart(self, data: mujoco.MjData) -> None:
        """Forget the past: the state was set."""
        if self._history is not None:
            self._history.clear()
            self.record(data)

    def record(self, data: mujoco.MjData) -> None:
        """Keep the values of this step, for later readings."""
        if self._history is not None:
            self._history.append(data.sensordata.copy())

    def read(self, data: mujoco.MjData, random: np.random.Generator) -> Reading:
        """A reading in new arrays."""
        values = (self._history[0] if self._history else data.sensordata).copy()
        if self._noise is not None:
            self._disturb(values, self._noise, random)
        for foot in self._wrenches:
            # MuJoCo measures what the ankle exerts on the sole. The massless sole passes the
            # ground's wrench on, so that of the ground is the opposite.
            np.negative(values[foot], out=values[foot])
        left, right = self._wrenches or (None, None)
        return Reading(
            position=values[self._positions],
            velocity=values[self._velocities],
            effort=values[self._efforts],
            orientation=values[self._orientation],
            angular_velocity=values[self._angular_velocity],
            linear_acceleration=values[self._linear_acceleration],
            left_wrench=np.zeros(6) if left is None else values[left],
            right_wrench=np.zeros(6) if right is None else values[right],
        )

    def _disturb(self, values: np.ndarray, noise: SensorNoise, random: np.random.Generator) -> None:
        for where, deviation in (
            (self._positions, noise.position),
            (self._velocities, noise.velocity),
            (self._efforts, noise.effort),
            (self._angular_velocity, noise.angular_velocity),
            (self._linear_acceleration, noise.linear_acceleration),
            *(
                (slice(wrench.start + half, wrench.start + half + 3), deviation)
                for wrench in self._wrenches
                for half, deviation in ((0, noise.force), (3, noise.torque))
            ),
        ):
            if deviation > 0.0:
                part = values[where]
                part += deviation * random.standard_normal(len(part))
        if noise.orientation > 0.0:
            error = noise.orientation * random.standard_normal(3)
            mujoco.mju_quatIntegrate(values[self._orientation], error, 1.0)

    def _slice(self, name: str) -> slice:
        sensor = self._model.sensor(name)
        start = int(sensor.adr[0])
        return slice(start, start + int(sensor.dim[0]))
