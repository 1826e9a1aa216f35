# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The servo loop around the physics or the mock, in simulated time, without ROS."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common.clock import ManualClock
from vla_common.states import Behaviour, Mode
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.servo_loop import LoopLimits, NoBalance, ServoLoop
from vla_robot import load_robot

PERIOD = 0.005
ROBOT = load_robot('humanoid32')
LIMITS = LoopLimits(
    command_timeout=0.1,
    supervisor_timeout=0.1,
    max_command_step=0.15,
    rest_velocity=0.1,
    standing_tolerance=0.15,
    errors_to_fault=3,
    fault_clear_time=1.0,
    read_deadline=0.1,
    damp_factor=1.0,
    lying_tilt=0.9,
    max_balance_offset=0.5,
    stand_lead=0.15,
)


class Simulated:
    """A servo loop with a supervisor that is heard in every cycle while `supervised`."""

    def __init__(
        self,
        driver: str = 'mock',
        balance: bool = True,
        pose: str | np.ndarray = 'standing',
        scene: Any = None,
        **world: Any,
    ) -> None:
        self.clock = ManualClock(100.0)
        if driver == 'mock':
            self.driver: Any = MockDriver(
                ROBOT.poses['standing'], ROBOT.limits.velocity, 53.0, clock=self.clock
            )
        else:
            from vla_hardware.drivers.mujoco import MujocoDriver
            from vla_sim import Scene

            self.driver = MujocoDriver(ROBOT, scene or Scene.default(), clock=self.clock, **world)
        corrected = balance and driver != 'mock'
        self.loop = ServoLoop(
            ROBOT,
            period=PERIOD,
            limits=LIMITS,
            driver=self.driver,
            balance=BalanceCorrection(ROBOT, BalanceGains.load(ROBOT))
            if corrected
            else NoBalance(ROBOT.n),
            clock=self.clock,
        )
        self.supervised = True
        self.mode, self.behaviour, self.epoch = Mode.INACTIVE, Behaviour.HOLD, 0
        self.sequence = 0
        self.loop.connect()
        if not (isinstance(pose, str) and pose == 'standing'):
            self.driver.world.reset(pose)
            self.loop.moved_elsewhere(standing=False)
            self.loop.reading = self.driver.read()
        self.loop.begin()

    @property
    def wall_ns(self) -> int:
        return int(self.clock.now * 1e9) + 1_700_000_000_000_000_000

    @property
    def world(self) -> Any:
        return self.driver.world

    def ask(self, mode: Mode, behaviour: Behaviour) -> None:
        """The supervisor says this from the next cycle on."""
        if mode is Mode.RUNNING and self.mode is not Mode.RUNNING:
            self.epoch += 1
        self.mode, self.behaviour = mode, behaviour

    def say(self) -> bool:
        """One supervisor message now; whether it was believed."""
        self.sequence += 1
        return self.loop.hear_supervisor(
            self.mode, self.behaviour, self.epoch, self.sequence, self.wall_ns, self.wall_ns
        )

    def command(self, position: np.ndarray, velocity: np.ndarray | None = None) -> None:
        v = np.zeros(ROBOT.n) if velocity is None else velocity
        self.loop.offer_command(
            list(ROBOT.joint_names), position, v, np.zeros(ROBOT.n), self.wall_ns, self.wall_ns
        )

    def run(self, seconds: float, every: Any = None) -> None:
        """Cycles for some seconds; `every(t)` is called before each one, t from 0."""
        for k in range(round(seconds / PERIOD)):
            self.clock.advance(PERIOD)
            if self.supervised and k % 4 == 0:
                self.say()
            if every is not None:
                every(k * PERIOD)
            self.loop.cycle()
