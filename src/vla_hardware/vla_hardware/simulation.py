# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The servo loop in simulated time, without ROS: for evaluation and tests.

Commands pass the same gate, clamps, balance correction and stop rules as on the robot.
"""

from typing import Self

import numpy as np

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common.clock import ManualClock
from vla_common.errors import ConfigError
from vla_common.states import Behaviour, Mode
from vla_hardware.command_gate import Rejection
from vla_hardware.drivers.base import Driver
from vla_hardware.drivers.mujoco import MujocoDriver
from vla_hardware.limits import ServoLimits
from vla_hardware.servo_loop import ServoLoop
from vla_hardware.servo_output import Balance, NoBalance
from vla_robot import Reading, RobotModel
from vla_sim import World

PERIOD = 0.005  # s
_SUPERVISOR_EVERY = 4  # cycles, as the 50 Hz of the node


def balance_correction(robot: RobotModel) -> Balance:
    """The correction with the robot's gains; none for a robot without feet or gains."""
    if robot.foot_boxes:
        try:
            return BalanceCorrection(robot, BalanceGains.load(robot))
        except ConfigError:
            pass
    return NoBalance(robot.n)


class SimulatedServo:
    """A servo loop and the supervisor states that it receives, cycle by cycle.

    Deterministic: time advances by `period` in each cycle and nowhere else.

    robot: of the driver. driver: reads `clock`. balance: reset here. limits: those of the robot.
    """

    def __init__(
        self,
        robot: RobotModel,
        driver: Driver,
        balance: Balance,
        limits: ServoLimits,
        clock: ManualClock,
        period: float = PERIOD,
    ) -> None:
        self.driver, self.clock, self.period = driver, clock, period
        self.loop = ServoLoop(
            robot, period=period, limits=limits, driver=driver, balance=balance, clock=clock
        )
        self._names = list(robot.joint_names)
        self._zeros = np.zeros(robot.n)
        self._cycles = 0
        self._sequence = 0
        self._epoch = 0
        self.supervised = True  # False: the supervisor is silent
        self.mode, self.behaviour = Mode.INACTIVE, Behaviour.HOLD
        self.loop.connect()
        self.loop.begin()

    @classmethod
    def running(
        cls, world: World, balance: Balance, limits: ServoLimits, period: float = PERIOD
    ) -> Self:
        """In mode RUNNING, around a world that was just reset; one object per episode.

        balance: `balance_correction(robot)`, which may be kept from one episode to the next.

        Raises:
            ValueError: the timestep of the world does not divide `period`.
        """
        steps = round(period / world.timestep)
        if abs(steps * world.timestep - period) > 1e-9:
            raise ValueError(f'timestep {world.timestep} s does not divide {period} s')
        clock = ManualClock()
        driver = MujocoDriver(world, max_catch_up=2 * period, clock=clock)
        servo = cls(world.robot, driver, balance, limits, clock, period)
        for mode, behaviour in ((Mode.READY, Behaviour.HOLD), (Mode.RUNNING, Behaviour.TRACK)):
            servo.request(mode, behaviour)
            servo.publish_state()
        return servo

    @property
    def wall_ns(self) -> int:
        """Simulated wall clock, ns."""
        return round(self.clock.now * 1e9) + 1_700_000_000_000_000_000

    @property
    def reading(self) -> Reading:
        """The newest valid reading."""
        assert self.loop.reading is not None
        return self.loop.reading

    def request(self, mode: Mode, behaviour: Behaviour) -> None:
        """What the supervisor publishes from the next state on; RUNNING begins a new epoch."""
        if mode is Mode.RUNNING and self.mode is not Mode.RUNNING:
            self._epoch += 1
        self.mode, self.behaviour = mode, behaviour

    def publish_state(self) -> bool:
        """One supervisor state now; whether the loop accepted it."""
        self._sequence += 1
        return self.loop.update_supervisor(
            self.mode, self.behaviour, self._epoch, self._sequence, self.wall_ns, self.wall_ns
        )

    def command(
        self,
        position: np.ndarray,
        velocity: np.ndarray | None = None,
        effort: np.ndarray | None = None,
    ) -> Rejection | None:
        """One /joint_command now, (n,) rad, rad/s, Nm; None if the gate accepted it."""
        return self.loop.offer_command(
            self._names,
            position,
            self._zeros if velocity is None else velocity,
            self._zeros if effort is None else effort,
            self.wall_ns,
            self.wall_ns,
        )

    def advance(self) -> None:
        """Time moves on by one period, and the supervisor publishes when it is due."""
        self.clock.advance(self.period)
        if self.supervised and self._cycles % _SUPERVISOR_EVERY == 0:
            self.publish_state()
        self._cycles += 1

    def cycle(self) -> None:
        """One period: time and physics advance, the loop reads, decides and writes."""
        self.advance()
        self.loop.cycle()
