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
from vla_common.states import Level
from vla_robot import load_robot
from vla_validation.fuzz.odd import FINITE
from vla_validation.fuzz.outcome import CaseResult, Outcome, SilentlyAccepted, assess

UPDATES = 40
PERIOD = 0.01  # s
GRAVITY = 9.81  # m/s²
ODD = 0.15  # share of odd readings


class BalanceSubject:
    """See the module."""

    def __init__(self) -> None:
        self._robot = load_robot('humanoid32')
        self._params = load_node_parameters('vla_balance', 'balance_monitor')

    def run(self, seed: int) -> CaseResult:
        texts: list[str] = []
        result = assess(lambda: self._play(random.Random(seed), texts), 'readings')
        outcome = Outcome.REFUSED if result.outcome is Outcome.WORKS else result.outcome
        return CaseResult(outcome, '; '.join(texts[-2:]), result.detail)

    def _play(self, chance: random.Random, texts: list[str]) -> None:
        """Raises SilentlyAccepted, and whatever the cores raise."""
        robot = self._robot
        estimator = BalanceEstimator(robot, self._params.select(EstimatorParams))
        assessment = BalanceAssessment(self._params.select(AssessmentParams))
        imu_check = ImuCheck(robot, PERIOD, latching=False)
        now = 100.0
        for update in range(UPDATES):
            now += PERIOD if chance.random() < 0.95 else chance.choice((0.0, 1e-9, 3.0, 1e6))
            reading = self._standing()
            is_odd = update > 3 and chance.random() < ODD
            if is_odd:
                name, change = chance.choice(_CHANGES)
                i = chance.randrange(name == 'orientation', len(reading[name]))
                reading[name][i] = value = change(chance)
                texts.append(f'{name}[{i}] = {value:g}')
            q, v, orientation, turning, force, left, right = reading.values()
            imu_check.update(
                now, q, v, orientation.copy(), turning.copy(), force, left, right,
                chance.random() < 0.9,
            )  # fmt: skip
            estimate = estimator.update(
                now, q, v, imu_check.orientation, imu_check.angular_velocity, left, right
            )
            disagreement = imu_check.angle if imu_check.disagreement else None
            _check(estimate, assessment.update(estimate, now, disagreement))

    def _standing(self) -> dict[str, np.ndarray]:
        """Readings of the robot that stands."""
        robot = self._robot
        half = np.array([0.0, 0.0, 0.5 * robot.total_mass * GRAVITY, 0.0, 0.0, 0.0])
        return {
            'position': robot.poses['standing'].copy(),
            'velocity': np.zeros(robot.n),
            'orientation': np.array([1.0, 0.0, 0.0, 0.0]),
            'angular_velocity': np.zeros(3),
            'acceleration': np.array([0.0, 0.0, GRAVITY]),
            'left_wrench': half,
            'right_wrench': half.copy(),
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
