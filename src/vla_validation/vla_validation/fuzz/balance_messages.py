# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `balance`: impossible (but finite) readings for the core of the balance monitor."""

import random
from collections.abc import Callable
from dataclasses import fields

import numpy as np

from vla_balance.assessment import AssessmentParams, BalanceAssessment, BalanceVerdict
from vla_balance.estimator import BalanceEstimate, BalanceEstimator, EstimatorParams
from vla_balance.imu_check import ImuCheck
from vla_common.parameter_files import load_node_parameters
from vla_common.parameters import Parameters
from vla_common.states import Level
from vla_robot import RobotModel, load_robot
from vla_validation.fuzz.odd import FINITE
from vla_validation.fuzz.outcome import CaseResult, Outcome, SilentlyAccepted, assess

UPDATES = 40
FALLING = 50  # updates
PERIOD = 0.01  # s
GRAVITY = 9.81  # m/s²
ODD = 0.15  # share of odd readings


class BalanceSubject:
    """See the module."""

    def __init__(self) -> None:
        self._robot = load_robot('humanoid32')
        self._params = load_node_parameters('vla_balance', 'balance_monitor')

    def run(self, seed: int) -> CaseResult:
        case = _Case(self._robot, self._params, random.Random(seed))
        result = assess(case.play, 'readings')
        outcome = Outcome.REFUSED if result.outcome is Outcome.WORKS else result.outcome
        return CaseResult(outcome, '; '.join(case.texts[-2:]), result.detail)


class _Case:
    """The cores of the node, in the order in which it calls them."""

    def __init__(self, robot: RobotModel, params: Parameters, chance: random.Random) -> None:
        self._robot, self._chance = robot, chance
        self._estimator = BalanceEstimator(robot, params.select(EstimatorParams))
        self._assessment = BalanceAssessment(params.select(AssessmentParams))
        self._imu = ImuCheck(robot, PERIOD, latching=False)
        self._now = 100.0
        self.texts: list[str] = []

    def play(self) -> None:
        """Raises SilentlyAccepted, and whatever the cores raise."""
        chance = self._chance
        for update in range(UPDATES):
            reading = self._reading(0.0)
            if update > 3 and chance.random() < ODD:
                name, change = chance.choice(_CHANGES)
                i = chance.randrange(name == 'orientation', len(reading[name]))
                reading[name][i] = value = change(chance)
                self.texts.append(f'{name}[{i}] = {value:g}')
            self._now += chance.choice((0.0, 1e-9, 3.0, 1e6)) if chance.random() < 0.05 else PERIOD
            self._update(reading, chance.random() < 0.9)
        # What came before must not hide a fall.
        for update in range(FALLING):
            self._now += PERIOD
            verdict = self._update(self._reading(1.2 * (update + 1) / FALLING), True)
        if verdict.level < Level.DANGER:
            raise SilentlyAccepted(f'a fall is {verdict.level.name} after odd readings')

    def _update(self, reading: dict[str, np.ndarray], has_orientation: bool) -> BalanceVerdict:
        imu = self._imu
        q, v, orientation, turning, force, left, right = reading.values()
        imu.update(
            self._now, q, v, orientation.copy(), turning.copy(), force, left, right, has_orientation
        )
        estimate = self._estimator.update(
            self._now, q, v, imu.orientation, imu.angular_velocity, left, right
        )
        verdict = self._assessment.update(
            estimate, self._now, imu.angle if imu.disagreement else None
        )
        _check(estimate, verdict)
        return verdict

    def _reading(self, tilt: float) -> dict[str, np.ndarray]:
        """Readings of the robot that stands; with `tilt` (rad, about y) of one that falls."""
        robot = self._robot
        load = 0.5 * robot.total_mass * GRAVITY if tilt == 0.0 else 0.0
        wrench = np.array([0.0, 0.0, load, 0.0, 0.0, 0.0])
        return {
            'position': robot.poses['standing'].copy(),
            'velocity': np.zeros(robot.n),
            'orientation': np.array([np.cos(tilt / 2), 0.0, np.sin(tilt / 2), 0.0]),
            'angular_velocity': np.array([0.0, 1.2 / (FALLING * PERIOD) if tilt else 0.0, 0.0]),
            'acceleration': GRAVITY * np.array([-np.sin(tilt), 0.0, np.cos(tilt)]),
            'left_wrench': wrench,
            'right_wrench': wrench.copy(),
        }


def _check(estimate: BalanceEstimate, verdict: BalanceVerdict) -> None:
    """An estimate that is not finite must not look safe."""
    numbers = [getattr(estimate, field.name) for field in fields(estimate)]
    named = [
        field.name
        for field, value in zip(fields(estimate), numbers, strict=True)
        if field.name not in ('zmp', 'margin', 'reach_margin') and not np.isfinite(value).all()
    ]
    margins = np.isnan(estimate.margin) or np.isnan(estimate.reach_margin)
    if (named or margins) and verdict.level is Level.SAFE:
        raise SilentlyAccepted(f'SAFE with {", ".join(named) or "margins"} not finite')


def _number(chance: random.Random) -> float:
    return chance.choice((*FINITE, chance.uniform(-10.0, 10.0)))


_CHANGES: tuple[tuple[str, Callable[[random.Random], float]], ...] = (
    ('position', _number),
    ('velocity', _number),
    ('orientation', lambda chance: chance.uniform(-0.3, 0.3)),  # the node rejects other lengths
    ('angular_velocity', _number),
    ('acceleration', _number),
    ('left_wrench', _number),
    ('right_wrench', _number),
)
"""What is changed, and new values that the node lets through."""
