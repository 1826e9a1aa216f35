# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated robot with the balance correction, in simulated time."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_robot import RobotModel
from vla_sim import Scene, World

PERIOD = 0.005  # s, of the driver's loop
PUSH_TIME = 0.1  # s
STEPS = 5  # of the physics in one period

Motion = Callable[[float], np.ndarray]
"""s -> reference (n,) rad."""


def free_floor() -> Scene:
    """A scene with nothing within reach to lean on."""
    scene = Scene.default()
    return dataclasses.replace(
        scene, table=dataclasses.replace(scene.table, position=(5.0, 0.0)), cubes=()
    )


class Standing:
    """World and correction (if `corrected`) at 200 Hz.

    Args:
        robot: in its standing pose.
        gains: of the correction; default: the robot's own.
        corrected: False: position servos alone.
        world: options of `World`.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: BalanceGains | None = None,
        corrected: bool = True,
        **world: Any,
    ) -> None:
        self.robot = robot
        self.standing = robot.poses['standing']
        self.world = World(robot, free_floor(), **world)
        self.correction = BalanceCorrection(robot, gains or BalanceGains.load(robot))
        self.corrected = corrected
        self.kinematics = robot.kinematics()
        self.time = 0.0

    def run(
        self,
        seconds: float,
        motion: Motion | None = None,
        watch: Callable[[float, tuple[np.ndarray, ...]], None] | None = None,
    ) -> None:
        """Run for some seconds; `watch` receives time and sensor values of each period."""
        for _ in range(round(seconds / PERIOD)):
            reference = self.standing if motion is None else motion(self.time)
            r = self.world.read()
            state = (
                r.position, r.velocity, r.orientation, r.angular_velocity,
                r.left_wrench, r.right_wrench,
            )  # fmt: skip
            target = reference
            if self.corrected:
                target = reference + self.correction.update(PERIOD, *state, reference)
            torque = self.kinematics.gravity_torque(r.position)
            self.world.command(target, None, torque)
            if watch is not None:
                watch(self.time, state)
            self.world.step(STEPS)
            self.time += PERIOD

    @property
    def lean(self) -> float:
        """rad of the base from upright."""
        rotation, _ = self.world.frame_pose('base')
        return math.acos(max(-1.0, min(1.0, float(rotation[2, 2]))))

    def push(self, direction: np.ndarray, impulse: float, link: str) -> None:
        """Push with an impulse (N·s) along a direction (3,) at a link, over `PUSH_TIME`."""
        self.world.push(np.asarray(direction) * impulse / PUSH_TIME, PUSH_TIME, link)
