# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The file that `driver_config` names for the driver `ur`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Self

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml

NAMES = (
    'shoulder_pan_joint',
    'shoulder_lift_joint',
    'elbow_joint',
    'wrist_1_joint',
    'wrist_2_joint',
    'wrist_3_joint',
)
"""Base to tool, as the controller counts them; the names are those of the maker's ROS driver."""

MODELS = {'ur3e': 'UR3', 'ur5e': 'UR5', 'ur10e': 'UR10', 'ur16e': 'UR16'}
"""By the name of the arm: what its dashboard answers to `get robot model`."""

TURN = 2.0 * math.pi


@dataclass(frozen=True)
class UrConfig:
    """host: address of the robot. model: of `MODELS`. frequency: Hz of the robot's states.
    max_age: s, an older state is an error. deadline: s without a new target after which the robot
    stops by itself. gain, lookahead: of servoj; lookahead in s. largest_step, largest_distance:
    rad between two targets, and between target and arm, that the robot accepts. deceleration:
    rad/s^2 of its stop.
    """

    file: str
    host: str
    model: str
    frequency: float
    max_age: float
    deadline: float
    gain: float
    lookahead: float
    largest_step: float
    largest_distance: float
    deceleration: float

    @classmethod
    def load(cls, path: str) -> Self:
        """Raises ConfigError."""
        if not path:
            raise ConfigError(
                'parameters', 'driver_config', 'nothing', 'a YAML file of the driver ur'
            )
        fields = ConfigReader(path, load_yaml(path))
        config = cls(
            file=os.fspath(path),
            host=fields.text('host'),
            model=fields.text('model', choices=tuple(MODELS)),
            frequency=fields.number('frequency', default=250.0, lo=125.0, hi=500.0),
            max_age=fields.number('max_age', default=0.05, lo=0.01, hi=0.1),
            deadline=fields.number('deadline', default=0.1, lo=0.02, hi=0.5),
            gain=fields.number('gain', default=300.0, lo=100.0, hi=2000.0),
            lookahead=fields.number('lookahead', default=0.05, lo=0.03, hi=0.2),
            largest_step=fields.number('largest_step', default=0.2, lo=0.01, hi=0.5),
            largest_distance=fields.number('largest_distance', default=0.4, lo=0.05, hi=0.8),
            deceleration=fields.number('deceleration', default=4.0, lo=0.5, hi=40.0),
        )
        fields.close()
        return config

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """(6,) rad each: the range of the joints. The safety configuration may narrow it."""
        upper = np.full(len(NAMES), TURN)
        if self.model == 'ur3e':
            upper[-1] = math.inf  # its last joint turns without end
        return -upper, upper
