# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated robot under the correction, in simulated time, without ROS."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from vla_balance.correction import BalanceCorrection
from vla_balance.estimator import BalanceEstimate, BalanceEstimator, EstimatorParams
from vla_balance.gains import BalanceGains
from vla_balance.verdict import Judge, Verdict, VerdictParams
from vla_robot import load_robot
from vla_sim import Scene, World

ROBOT = load_robot('humanoid32')
STANDING = ROBOT.poses['standing']
PERIOD = 0.005
SIDES = {'front': (1, 0, 0), 'back': (-1, 0, 0), 'left': (0, 1, 0), 'right': (0, -1, 0)}
CONFIG = Path(__file__).parents[3] / 'config' / 'balance_monitor.yaml'
SHIPPED = yaml.safe_load(CONFIG.read_text())['balance_monitor']['ros__parameters']


def verdict_params(**changes) -> VerdictParams:
    names = [field.name for field in dataclasses.fields(VerdictParams)]
    return VerdictParams(**({name: SHIPPED[name] for name in names} | changes))


def estimator() -> BalanceEstimator:
    return BalanceEstimator(
        ROBOT, EstimatorParams(SHIPPED['contact_force'], SHIPPED['velocity_filter_time'])
    )


def free_floor() -> Scene:
    """Nothing within reach to lean on."""
    scene = Scene.default()
    return dataclasses.replace(
        scene, table=dataclasses.replace(scene.table, position=(5.0, 0.0)), cubes=()
    )


class Standing:
    """World, correction (if `corrected`), estimator and judge at 200 Hz."""

    def __init__(self, corrected: bool = True, **world) -> None:
        self.world = World(ROBOT, free_floor(), **world)
        self.correction = BalanceCorrection(ROBOT, BalanceGains.load(ROBOT))
        self.corrected = corrected
        self.kinematics = ROBOT.kinematics()
        self.estimator, self.judge = estimator(), Judge(verdict_params())
        self.estimates: list[BalanceEstimate] = []
        self.verdicts: list[Verdict] = []
        self.time = 0.0

    def run(self, seconds: float, motion: Callable[[float], np.ndarray] | None = None) -> None:
        for _ in range(round(seconds / PERIOD)):
            reference = STANDING if motion is None else motion(self.time)
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
            self.estimates.append(self.estimator.update(self.time, *state))
            self.verdicts.append(self.judge.update(self.estimates[-1], self.time))
            self.world.step(5)
            self.time += PERIOD

    def push(self, side: str, impulse: float) -> None:
        """A push of 0.1 s at the chest, impulse in N·s."""
        self.world.push(np.array(SIDES[side]) * impulse / 0.1, 0.1, 'torso_roll_link')
