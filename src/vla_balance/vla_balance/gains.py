# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The gains of the balance correction: the section `balance` of robot.yaml."""

from dataclasses import dataclass
from typing import Self

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_robot import RobotModel


@dataclass(frozen=True)
class BalanceGains:
    """Pairs are (forward, sideways); errors are of the capture point, in m.

    ankle: ankle torque over the torque m·g·error that would just hold the capture point.
    shift: m that the body is moved over its feet per m of error; shift_limit: m, at most.
    integral: 1/s, of the slow part of that shift.
    hip: rad of hip bend per m of error beyond hip_dead_zone (m); hip_limit: rad, at most.
    carry: rad that the swing foot is carried outwards per rad that the stance hip yields;
    carry_limit: rad, at most.
    ahead: m, where the capture point is wanted, ahead of the middle of the soles.
    filter_time: s, time constant of the low-pass on the centre of mass's velocity.
    """

    ankle: tuple[float, float]
    shift: tuple[float, float]
    shift_limit: float
    integral: float
    hip: tuple[float, float]
    hip_dead_zone: tuple[float, float]
    hip_limit: float
    carry: float
    carry_limit: float
    ahead: float
    filter_time: float

    @classmethod
    def load(cls, robot: RobotModel) -> Self:
        """From the section `balance` of robot.yaml. Raises ConfigError."""
        file = robot.directory / 'robot.yaml'
        content = load_yaml(file)
        if 'balance' not in content:
            raise ConfigError(file, 'balance', 'nothing', 'the gains of the balance correction')
        return cls.from_fields(ConfigReader(file, content['balance'], 'balance'))

    @classmethod
    def from_fields(cls, fields: ConfigReader) -> Self:
        """Raises ConfigError."""

        def pair(key: str, hi: float) -> tuple[float, float]:
            forward, sideways = fields.numbers(key, length=2, lo=0.0, hi=hi)
            return forward, sideways

        gains = cls(
            ankle=pair('ankle', 10.0),
            shift=pair('shift', 10.0),
            shift_limit=fields.number('shift_limit', lo=0.0, hi=0.3),
            integral=fields.number('integral', lo=0.0, hi=10.0),
            hip=pair('hip', 20.0),
            hip_dead_zone=pair('hip_dead_zone', 1.0),
            hip_limit=fields.number('hip_limit', lo=0.0, hi=1.0),
            carry=fields.number('carry', lo=0.0, hi=2.0),
            carry_limit=fields.number('carry_limit', lo=0.0, hi=0.3),
            ahead=fields.number('ahead', lo=-0.2, hi=0.2),
            filter_time=fields.number('filter_time', lo=0.0, hi=1.0),
        )
        fields.close()
        return gains
