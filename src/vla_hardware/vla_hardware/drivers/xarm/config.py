# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The file that `driver_config` names for the driver `xarm`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Self

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_hardware.drivers.xarm.wire import CONTROL_PORT, FAST_PORT, SLOW_PORT

_TURN = (-2.0 * math.pi, 2.0 * math.pi)
_SHOULDER, _WRIST = (-2.059488, 2.094395), (-1.692969, math.pi)
_LITE_WRIST = (-2.164208, 2.164208)
_X6_ELBOW, _X7_ELBOW = (-3.92699, 0.191986), (-0.191986, 3.92699)


@dataclass(frozen=True)
class XArmModel:
    """axes, kind: what the controller reports of itself. limits: rad by joint, the maker's."""

    axes: int
    kind: int
    limits: tuple[tuple[float, float], ...]


MODELS = {
    'xarm5': XArmModel(5, 5, (_TURN, _SHOULDER, _X6_ELBOW, _WRIST, _TURN)),
    'xarm6': XArmModel(6, 6, (_TURN, _SHOULDER, _X6_ELBOW, _TURN, _WRIST, _TURN)),
    'xarm7': XArmModel(7, 7, (_TURN, _SHOULDER, _TURN, _X7_ELBOW, _TURN, _WRIST, _TURN)),
    'uf850': XArmModel(
        6, 12, (_TURN, (-2.303835, 2.303835), (-4.223697, 0.061087), _TURN, _LITE_WRIST, _TURN)
    ),
    'lite6': XArmModel(
        6, 9, (_TURN, (-2.617994, 2.617994), (-0.061087, 5.235988), _TURN, _LITE_WRIST, _TURN)
    ),
}


@dataclass(frozen=True)
class XArmConfig:
    """host: address of the control box. model: of `MODELS`. max_age: s, an older report is an
    error. largest_step: rad between two targets, or from the arm to the first, that are sent.
    ports: of requests, of fast and of slow reports.
    """

    file: str
    host: str
    model: str
    max_age: float
    largest_step: float
    ports: tuple[int, int, int]

    @classmethod
    def load(cls, path: str) -> Self:
        """Raises ConfigError."""
        if not path:
            raise ConfigError(
                'parameters', 'driver_config', 'nothing', 'a YAML file of the driver xarm'
            )
        fields = ConfigReader(path, load_yaml(path))
        host = fields.text('host')
        model = fields.text('model', choices=tuple(MODELS))
        defaults = {'control': CONTROL_PORT, 'fast': FAST_PORT, 'slow': SLOW_PORT}
        ports = [
            fields.integer(f'{name}_port', default=number, lo=1, hi=65535)
            for name, number in defaults.items()
        ]
        config = cls(
            file=os.fspath(path),
            host=host,
            model=model,
            max_age=fields.number('max_age', default=0.06, lo=0.02, hi=0.1),
            largest_step=fields.number('largest_step', default=0.1, lo=0.01, hi=0.3),
            ports=(ports[0], ports[1], ports[2]),
        )
        fields.close()
        return config

    @property
    def names(self) -> tuple[str, ...]:
        """Base to tool; the names are those of the maker's ROS packages."""
        return tuple(f'joint{i + 1}' for i in range(MODELS[self.model].axes))

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) rad each. Stricter ones may be set in the controller."""
        limits = np.array(MODELS[self.model].limits)
        return limits[:, 0], limits[:, 1]
