# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated robot under the correction, in simulated time, without ROS."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from vla_balance import testing as survival
from vla_balance.assessment import AssessmentParams, BalanceAssessment, BalanceVerdict
from vla_balance.estimator import BalanceEstimate, BalanceEstimator, EstimatorParams
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
STANDING = ROBOT.poses['standing']
PERIOD = survival.PERIOD
SIDES = {'front': (1, 0, 0), 'back': (-1, 0, 0), 'left': (0, 1, 0), 'right': (0, -1, 0)}
CONFIG = Path(__file__).parents[3] / 'config' / 'balance_monitor.yaml'
SHIPPED = yaml.safe_load(CONFIG.read_text())['balance_monitor']['ros__parameters']


def verdict_params(**changes) -> AssessmentParams:
    names = [field.name for field in dataclasses.fields(AssessmentParams)]
    return AssessmentParams(**({name: SHIPPED[name] for name in names} | changes))


def estimator() -> BalanceEstimator:
    return BalanceEstimator(
        ROBOT, EstimatorParams(SHIPPED['contact_force'], SHIPPED['velocity_filter_time'])
    )


class Standing:
    """The robot of `vla_validation.pushes`, with estimator and assessment of its sensor values."""

    def __init__(self, corrected: bool = True, **world) -> None:
        self.robot = survival.Standing(ROBOT, corrected=corrected, **world)
        self.world, self.correction = self.robot.world, self.robot.correction
        self.estimator, self.assessment = estimator(), BalanceAssessment(verdict_params())
        self.estimates: list[BalanceEstimate] = []
        self.verdicts: list[BalanceVerdict] = []

    def run(self, seconds: float, motion: Callable[[float], np.ndarray] | None = None) -> None:
        self.robot.run(seconds, motion, self._watch)

    def _watch(self, time: float, state: tuple[np.ndarray, ...]) -> None:
        self.estimates.append(self.estimator.update(time, *state))
        self.verdicts.append(self.assessment.update(self.estimates[-1], time))

    def push(self, side: str, impulse: float) -> None:
        """A push of 0.1 s at the chest, impulse in N·s."""
        self.robot.push(SIDES[side], impulse, 'torso_roll_link')


def pushed(side: str, impulse: float, corrected: bool = True, **world) -> Standing:
    """After a push at 0.7 s and 2.5 s more."""
    s = Standing(corrected, **world)
    s.run(0.7)
    s.push(side, impulse)
    s.run(2.5)
    return s
