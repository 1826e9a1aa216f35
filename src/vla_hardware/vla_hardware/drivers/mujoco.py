# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated robot: physics stepped in real time by the servo loop's own reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from vla_hardware.drivers.base import Gains
from vla_robot import Reading, RobotModel
from vla_sim import Scene, SensorNoise, World


class MujocoDriver:
    """A `vla_sim.World` that keeps up with the steady clock.

    Each read first advances the physics to now, in whole steps, but by at most `max_catch_up`
    seconds: after a stall the rest is dropped (and shows in `real_time_factor`), else a stall
    would cause the next one. noise and delay (s): of the sensors.
    """

    def __init__(
        self,
        robot: RobotModel,
        scene: Scene,
        *,
        seed: int = 0,
        noise: SensorNoise | None = None,
        delay: float = 0.0,
        max_catch_up: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world = World(robot, scene, seed=seed, sensor_noise=noise, sensor_delay=delay)
        self.scene = scene
        self._robot = robot
        self._clock = clock
        self._max_catch_up = max_catch_up
        self._timestep = self.world.timestep
        self._owed = 0.0
        self._last: float | None = None
        self._gains: Gains | None = None
        self._zeros = np.zeros(robot.n)
        # (wall, simulated) time over the last second, for the real-time factor.
        self._history: deque[tuple[float, float]] = deque()
        self._held: np.ndarray | None = None

    @property
    def real_time_factor(self) -> float:
        if len(self._history) < 2:
            return 1.0
        (wall0, sim0), (wall1, sim1) = self._history[0], self._history[-1]
        return (sim1 - sim0) / (wall1 - wall0) if wall1 > wall0 else 1.0

    def connect(self) -> None:
        self.world.reset('standing')
        self._last = None

    def power(self, on: bool) -> None:
        if on:
            self._gains = None  # sent anew with the next write

    def read(self) -> Reading:
        now = self._clock()
        if self._last is not None:
            self._owed += now - self._last
        self._last = now
        steps = int(min(self._owed, self._max_catch_up) / self._timestep + 1e-6)
        if self._owed > self._max_catch_up:
            self._owed = steps * self._timestep
        if steps > 0:
            if self._held is not None:
                self._hang(steps)
            else:
                self.world.step(steps)
            self._owed -= steps * self._timestep
        self._history.append((now, self.world.time))
        while now - self._history[0][0] > 1.0:
            self._history.popleft()
        return self.world.read()

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        if gains is not self._gains:
            self.world.set_gains(gains.kp, gains.kv)
            self._gains = gains
        if gains.kp.any():
            self._held = None
        self.world.command(position, velocity, effort)

    def reset(self, suspended: bool) -> None:
        """Puts the world back, the robot standing.

        suspended: hang the robot in its standing pose, as from a gantry, until the servos are
        stiff again. Without it, a robot reset during an e-stop would sink down at once, and the
        fall that the e-stop waits to see gone would be back.
        """
        self.world.reset('standing')
        self._history.clear()
        self._owed = 0.0
        self._gains = None
        self._held = self.world.qpos.copy() if suspended else None

    def push(self, force: np.ndarray, duration: float, link: str) -> None:
        """Pushes a link with a force (3,) N in the world frame, for some seconds."""
        self.world.push(force, duration, link)

    def close(self) -> None:
        self._held = None

    def _hang(self, steps: int) -> None:
        assert self._held is not None
        self.world.set_state(self._held, np.zeros_like(self.world.qvel))
        self.world.step(steps)
