# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Synthetic robots of any size, defined by limits only, for the adversary and tests."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from vla_robot.robot_model import JointLimits, ServoGains


class SyntheticGravity:
    """Gravity on each joint separately, like a pendulum."""

    def __init__(self, weight: np.ndarray) -> None:
        self._weight = weight

    def gravity_torque(self, q: np.ndarray, base_rotation: np.ndarray | None) -> np.ndarray:
        upright = 1.0 if base_rotation is None else base_rotation[2, 2]
        return self._weight * np.sin(q) * upright


@dataclass(frozen=True)
class SyntheticRobot:
    """The part of a RobotModel that the filter needs."""

    joint_names: tuple[str, ...]
    limits: JointLimits
    soft_margin: np.ndarray
    servo: ServoGains
    weight: np.ndarray

    @property
    def n(self) -> int:
        return len(self.joint_names)

    def kinematics(self) -> SyntheticGravity:
        return SyntheticGravity(self.weight)

    @classmethod
    def random(cls, n: int, seed: int, jerk: bool = False) -> Self:
        """A robot with limits drawn from wide ranges."""
        rng = np.random.default_rng(seed)
        lower = -rng.uniform(0.05, 3.0, n)
        upper = rng.uniform(0.05, 3.0, n)
        acceleration = np.exp(rng.uniform(np.log(1.0), np.log(200.0), n))
        effort = rng.uniform(5.0, 120.0, n)
        return cls(
            joint_names=tuple(f'joint_{i}' for i in range(n)),
            limits=JointLimits(
                lower=lower,
                upper=upper,
                velocity=np.exp(rng.uniform(np.log(0.2), np.log(12.0), n)),
                acceleration=acceleration,
                jerk=acceleration * rng.uniform(5.0, 50.0, n) if jerk else None,
                effort=effort,
            ),
            soft_margin=rng.uniform(0.0, 0.02, n),
            servo=ServoGains(kp=rng.uniform(20.0, 500.0, n), kv=rng.uniform(0.5, 12.0, n)),
            weight=effort * rng.uniform(0.0, 0.5, n),
        )

    @classmethod
    def uniform(
        cls,
        n: int = 2,
        *,
        reach: float = 1.0,
        velocity: float = 2.0,
        acceleration: float = 10.0,
        jerk: float | None = None,
        effort: float = 1e3,
        kp: float = 100.0,
        kv: float = 0.0,
        soft_margin: float = 0.0,
        weight: float = 0.0,
    ) -> Self:
        """Equal joints, limits ±reach: for tests with numbers computed by hand."""
        full = np.full
        return cls(
            joint_names=tuple(f'joint_{i}' for i in range(n)),
            limits=JointLimits(
                lower=full(n, -reach),
                upper=full(n, reach),
                velocity=full(n, velocity),
                acceleration=full(n, acceleration),
                jerk=None if jerk is None else full(n, jerk),
                effort=full(n, effort),
            ),
            soft_margin=full(n, soft_margin),
            servo=ServoGains(kp=full(n, kp), kv=full(n, kv)),
            weight=full(n, weight),
        )
