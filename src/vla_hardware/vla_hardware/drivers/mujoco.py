# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated robot: physics stepped in real time by the reads of the servo loop."""

import time
from collections import deque
from collections.abc import Callable
from typing import Self

import numpy as np

from vla_common.parameters import Parameters
from vla_hardware.drivers.base import DeviceJoints, Gains, require_finite
from vla_robot import Reading, RobotModel
from vla_sim import Scene, SensorNoise, World


class MujocoDriver:
    """A `vla_sim.World` that keeps up with a clock.

    Each read first advances the physics to now, in whole steps, but by at most `max_catch_up`
    seconds: after a stall the rest is dropped (and shows in `real_time_factor`), else a stall
    would cause the next one.
    """

    stiffen_time = 0.0
    can_grip = True
    when_killed = 'the simulation ends with the process'

    def __init__(
        self,
        world: World,
        *,
        max_catch_up: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world = world
        self.can_fall = bool(world.robot.foot_boxes)
        self._clock = clock
        self._max_catch_up = max_catch_up
        self._timestep = world.timestep
        self._owed = 0.0
        self._last: float | None = None
        self._gains: Gains | None = None
        # (wall, simulated) time over the last second, for the real-time factor.
        self._history: deque[tuple[float, float]] = deque()
        self._suspended = False
        grippers = world.robot.gripper_joints
        self._body = np.setdiff1d(np.arange(world.robot.n), grippers)

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        sim = params.sim
        world = World(
            robot,
            Scene.load(sim.scene) if sim.scene else Scene.default(),
            seed=sim.seed,
            sensor_noise=SensorNoise.typical() if sim.sensor_noise else None,
        )
        return cls(world, max_catch_up=sim.max_catch_up, clock=clock)

    @property
    def real_time_factor(self) -> float:
        if len(self._history) < 2:
            return 1.0
        (wall0, sim0), (wall1, sim1) = self._history[0], self._history[-1]
        return (sim1 - sim0) / (wall1 - wall0) if wall1 > wall0 else 1.0

    def connect(self) -> None:
        self._last = None

    def device_joints(self) -> DeviceJoints:
        return DeviceJoints.of(self.world.robot)

    def power(self, on: bool) -> None:
        if on:
            self._gains = None  # sent again with the next write

    def read(self) -> Reading:
        now = self._clock()
        if self._last is not None:
            self._owed += now - self._last
        self._last = now
        steps = int(min(self._owed, self._max_catch_up) / self._timestep + 1e-6)
        if self._owed > self._max_catch_up:
            self._owed = steps * self._timestep
        if steps > 0:
            self.world.step(steps)
            self._owed -= steps * self._timestep
        self._history.append((now, self.world.time))
        while now - self._history[0][0] > 1.0:
            self._history.popleft()
        return self.world.read()

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        require_finite(position, velocity, effort)
        if self._suspended and not gains.kp[self._body].any():
            return
        self._suspended = False
        if gains is not self._gains:
            self.world.set_gains(gains.kp, gains.kv)
            self._gains = gains
        self.world.command(position, velocity, effort)

    def reset(self, suspended: bool) -> None:
        """Put the world back, the robot in its standing pose.

        suspended: hold the robot there, as a gantry would, until the servos are stiff again.
        Without it, a robot reset during an e-stop would sink down at once and fall again. It is
        held by its own servos: put back with every step it would fall in each of them, which is
        what its accelerometer then measures.
        """
        self.world.reset('standing')
        self._history.clear()
        self._owed = 0.0
        self._gains = None
        self._suspended = suspended

    def push(self, force: np.ndarray, duration: float, link: str) -> None:
        """Push a link with a force (3,) N in the world frame for `duration` s."""
        self.world.push(force, duration, link)

    def close(self) -> None:
        self._suspended = False
