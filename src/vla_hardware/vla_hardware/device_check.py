# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Comparison of the connected robot with its robot directory, at configure.

By name: order, missing and unknown joints; by value: position limits and the first reading, where
degrees, an opposite sign and an exchanged order show before anything moves.
"""

import math

import numpy as np

from vla_common.errors import ConfigError
from vla_hardware.drivers.base import DeviceJoints
from vla_robot import Reading, RobotModel

LIMIT_TOLERANCE = 0.02  # rad by which robot.yaml's range may exceed the robot's own
OUTSIDE = 0.35  # rad beyond a limit at which a reading is no reading of this joint
FAR = 2.0  # rad beyond a limit; so far out, a reading may be in degrees
WIDEST = 15.0  # rad that a joint turns; a wider range may be one in degrees
MOVING = 0.5  # rad/s at which somebody else moves the robot
DEGREES = 180.0 / math.pi


def check_device(robot: RobotModel, device: DeviceJoints | None, reading: Reading) -> None:
    """Raise ConfigError where the robot that is connected is not the one of the directory.

    device: None where the driver does not report its joints; the reading is checked all the same.
    """
    place = robot.directory / 'robot.yaml'
    if device is not None:
        _check_names(robot, device, place)
        _check_limits(robot, device)
    _check_reading(robot, reading)


def _check_names(robot: RobotModel, device: DeviceJoints, place: object) -> None:
    wanted, found = robot.joint_names, device.names
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    if missing or unknown:
        parts = [f'{", ".join(missing)} that the robot does not have'] if missing else []
        parts += [f'not its {", ".join(unknown)}'] if unknown else []
        raise ConfigError(
            place, 'joints', ' and '.join(parts), f'the joints of the robot: {", ".join(found)}'
        )
    if tuple(found) != wanted:
        first = next(i for i, name in enumerate(wanted) if found[i] != name)
        raise ConfigError(
            place,
            'joints',
            f'{wanted[first]} where the driver reads {found[first]}',
            'a driver that maps joints by name, not by index',
        )


def _check_limits(robot: RobotModel, device: DeviceJoints) -> None:
    lower, upper = np.asarray(device.lower, float), np.asarray(device.upper, float)
    limits = robot.limits
    for i, name in enumerate(robot.joint_names):
        own = (float(lower[i]), float(upper[i]))
        ours = (float(limits.lower[i]), float(limits.upper[i]))
        hint = _hint(ours, own)
        if _inside(ours, own) and not hint:
            continue
        raise ConfigError(
            robot.urdf_path,
            f'joint[{name}]/limit',
            f'{ours[0]:.3g} to {ours[1]:.3g} rad' + (f', {hint}' if hint else ''),
            f'a range inside that of the robot, {own[0]:.3g} to {own[1]:.3g} rad',
        )


def _hint(ours: tuple[float, float], own: tuple[float, float]) -> str:
    """What a pair of ranges that does not fit looks like; '' where it looks like nothing."""
    span, own_span = ours[1] - ours[0], own[1] - own[0]
    if not (math.isfinite(own_span) and own_span > 0.0 and span > 0.0):
        return ''
    if span > WIDEST and 0.5 <= span / own_span / DEGREES <= 1.5:
        return 'which looks like degrees in the URDF'
    if own_span > WIDEST and 0.5 <= own_span / span / DEGREES <= 1.5:
        return "which looks like degrees in the driver's limits"
    mirrored = _inside((-ours[1], -ours[0]), own)
    return 'which looks like the opposite sign' if mirrored and not _inside(ours, own) else ''


def _inside(ours: tuple[float, float], own: tuple[float, float]) -> bool:
    return own[0] - LIMIT_TOLERANCE <= ours[0] and ours[1] <= own[1] + LIMIT_TOLERANCE


def _check_reading(robot: RobotModel, reading: Reading) -> None:
    position, limits = reading.position, robot.limits
    beyond = np.maximum(limits.lower - position, position - limits.upper)
    worst = int(beyond.argmax())
    if not beyond[worst] <= OUTSIDE:
        radians = position / DEGREES
        inside = (radians >= limits.lower - OUTSIDE) & (radians <= limits.upper + OUTSIDE)
        looks = ' (it looks like degrees)' if beyond[worst] > FAR and inside.all() else ''
        raise ConfigError(
            f'reading of {robot.name}',
            robot.joint_names[worst],
            f'{position[worst]:.3g} rad{looks}',
            f'{limits.lower[worst]:.3g} to {limits.upper[worst]:.3g} rad: units, sign and zero as '
            'in the URDF, and the joint within its limits',
        )


def fastest_joint(robot: RobotModel, velocity: np.ndarray) -> str:
    """The joint that turns at more than MOVING; '' where none does."""
    speed = np.abs(velocity)
    fastest = int(speed.argmax())
    return '' if speed[fastest] <= MOVING else robot.joint_names[fastest]


def check_at_rest(robot: RobotModel, first: Reading, second: Reading, elapsed: float) -> None:
    """Raise ConfigError where the positions moved between two readings, `elapsed` s apart: the
    reported velocity may be wrong, which the cross-check names."""
    moved = (second.position - first.position) / elapsed
    if name := fastest_joint(robot, moved):
        raise ConfigError(
            f'reading of {robot.name}',
            name,
            f'{np.abs(moved).max():.3g} rad/s',
            f'a robot at rest (at most {MOVING:g} rad/s): nobody else may move it',
        )
