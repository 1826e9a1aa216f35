# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An arm of Feetech servos as data: settings, LeRobot's calibration, steps and radians, errors."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vla_common.errors import ConfigError, first_line
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_hardware.drivers import feetech
from vla_hardware.drivers.base import DriverError
from vla_robot import RobotModel

STEP = 2.0 * math.pi / feetech.TURN  # rad
STS3215 = 777
ERRORS = {
    0: ('its supply voltage is out of range', 'check the power supply of the arm'),
    1: ('its position sensor fails', 'replace the servo'),
    2: ('it is too hot', 'let it cool down, and look for what loads it'),
    3: ('its current is too high', 'look for what blocks the joint'),
    4: ('it is beyond its range', 'move the joint back by hand'),
    5: ('it is overloaded', 'look for what blocks the joint, and move it free by hand'),
}
"""By the bit of the error byte: what it means, and what the operator does."""


@dataclass(frozen=True)
class Servo:
    """One servo. zero: its step at 0 rad. sign: of a step in the URDF's direction."""

    name: str
    id: int
    zero: float
    sign: int
    lowest: int
    highest: int
    homing_offset: int

    def radians(self, steps: float) -> float:
        return self.sign * (steps - self.zero) * STEP

    def steps(self, radians: float) -> int:
        """The nearest step within its range."""
        wanted = round(self.zero + self.sign * radians / STEP)
        return min(max(wanted, self.lowest), self.highest)

    @property
    def limits(self) -> tuple[float, float]:
        """rad."""
        ends = self.radians(self.lowest), self.radians(self.highest)
        return min(ends), max(ends)

    def error(self, bits: int) -> DriverError:
        """What its error byte says."""
        known = [ERRORS[bit] for bit in ERRORS if bits >> bit & 1]
        cause, action = known[0] if known else (f'error byte {bits:#04x}', 'switch it off and on')
        return DriverError(f'{self.name} (servo {self.id}): {cause}', action, stopped=True)


@dataclass(frozen=True)
class ArmConfig:
    """The file that `driver_config` names.

    port: device. torque: share of the servos' torque at full stiffness. model: number of the
    servos' type. servos: by joint, in the order of the calibration file.
    """

    file: str
    port: str
    baud_rate: int
    torque: float
    model: int
    servos: tuple[Servo, ...]

    @classmethod
    def load(cls, path: str, robot: RobotModel) -> Self:
        """Raises ConfigError."""
        if not path:
            wanted = "a YAML file with the arm's port and LeRobot's calibration"
            raise ConfigError('parameters', 'driver_config', 'nothing', wanted)
        fields = ConfigReader(path, load_yaml(path))
        port = fields.text('port')
        calibration = (Path(path).parent / Path(fields.text('calibration')).expanduser()).resolve()
        closed = fields.texts('closed', default=['gripper'])
        config = cls(
            file=path,
            port=port,
            baud_rate=fields.integer('baud_rate', default=1_000_000),
            torque=fields.number('torque', default=0.6, lo=0.05, hi=1.0),
            model=fields.integer('model', default=STS3215),
            servos=tuple(read_calibration(calibration, robot, closed)),
        )
        if config.baud_rate not in (1_000_000, 500_000, 115_200, 57_600, 38_400, 19_200):
            raise fields.error('baud_rate', config.baud_rate, 'a rate of the servos: 1000000')
        fields.close()
        return config


def read_calibration(path: Path, robot: RobotModel, closed: Sequence[str]) -> list[Servo]:
    """The servos of a calibration file of LeRobot: JSON, by joint.

    A joint is at 0 rad in the middle of its range, as LeRobot has it in degrees; one of `closed` is
    at its lower limit of the URDF at the lowest step. Raises ConfigError.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise ConfigError(path, '', first_line(error), 'a calibration file of LeRobot') from error
    servos: list[Servo] = []
    reader = ConfigReader(path, content)
    for name in reader.keys():  # noqa: SIM118
        fields = reader.section(name)
        lowest = fields.integer('range_min', lo=0, hi=feetech.TURN - 1)
        highest = fields.integer('range_max', lo=0, hi=feetech.TURN - 1)
        if not lowest < highest:
            raise fields.error('range_max', highest, f'more than range_min, {lowest}')
        inverted = fields.integer('drive_mode', lo=0, hi=1) == 1
        sign = -1 if inverted else 1
        zero = 0.5 * (lowest + highest)
        if name in closed and name in robot.index:
            shut = highest if inverted else lowest
            zero = shut - sign * float(robot.limits.lower[robot.index[name]]) / STEP
        servo = Servo(
            name=name,
            id=fields.integer('id', lo=0, hi=feetech.BROADCAST - 1),
            zero=zero,
            sign=sign,
            lowest=lowest,
            highest=highest,
            homing_offset=fields.integer('homing_offset', lo=-2047, hi=2047),
        )
        fields.close()
        other = next((known for known in servos if known.id == servo.id), None)
        if other is not None:
            raise fields.error('id', f'{servo.id}, as {other.name} has', 'an id of its own')
        servos.append(servo)
    if not servos:
        raise ConfigError(path, '', 'no joints', 'a calibration file of LeRobot')
    return servos
