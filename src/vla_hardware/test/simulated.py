# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The servo loop with the mock or the physics, in simulated time, without ROS."""

from typing import Any

from vla_common.clock import ManualClock
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.limits import ServoLimits
from vla_hardware.servo_output import NoBalance
from vla_hardware.simulation import PERIOD, SimulatedServo, balance_correction
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
LIMITS = ServoLimits(
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


class Simulated(SimulatedServo):
    """The mock, or the physics with the balance correction, in mode INACTIVE."""

    def __init__(self, driver: str = 'mock', scene: Any = None) -> None:
        clock = ManualClock(100.0)
        if driver == 'mock':
            robot_driver: Any = MockDriver(
                ROBOT.poses['standing'], ROBOT.limits.velocity, 53.0, clock=clock
            )
            balance: Any = NoBalance(ROBOT.n)
        else:
            from vla_hardware.drivers.mujoco import MujocoDriver
            from vla_sim import World

            robot_driver = MujocoDriver(World(ROBOT, scene), clock=clock)
            balance = balance_correction(ROBOT)
        super().__init__(ROBOT, robot_driver, balance, LIMITS, clock, PERIOD)

    @property
    def world(self) -> Any:
        return self.driver.world

    def run(self, seconds: float, every: Any = None) -> None:
        """Cycles for some seconds; `every(t)` is called before each one, t from 0."""
        for k in range(round(seconds / PERIOD)):
            self.advance()
            if every is not None:
                every(k * PERIOD)
            self.loop.cycle()
