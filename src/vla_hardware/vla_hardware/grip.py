# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Grippers in the driver: what they do when the robot stops, and what they measure.

A dropped object is a hazard. So no stop moves a gripper: hold and stand leave its reference where
it is, and while the arm is damped it stays stiff, unless robot.yaml says otherwise (`estop`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vla_common.errors import ConfigError
from vla_robot import Gripper, Reading, RobotModel

CLOSED = 1e-3
"""m above the smallest opening; at less a gripper presses on itself."""
PRESSING = 0.1
"""Share of `grip_force` from which a gripper presses on something."""
AT_REST = 0.03
"""m/s of the opening: above the noise of two encoders."""


class Grips:
    """The joints of a robot's grippers (indices in robot order), by what they do in a stop.

    joints: all. kept: stiff while the robot is passive. opening: of these, those that open then,
    with `opened`, their positions.
    """

    def __init__(self, grippers: Mapping[str, Gripper], n: int) -> None:
        self.joints = _joints(grippers, ('hold', 'release', 'passive'))
        self.kept = _joints(grippers, ('hold', 'release'))
        self.opening = _joints(grippers, ('release',))
        self.opened = np.zeros(n)
        for gripper in grippers.values():
            self.opened[gripper.joints] = gripper.joint_positions(gripper.open)
        self.others = np.setdiff1d(np.arange(n), self.joints)

    def __bool__(self) -> bool:
        return len(self.joints) > 0


def _joints(grippers: Mapping[str, Gripper], estops: tuple[str, ...]) -> np.ndarray:
    found = [gripper.joints for gripper in grippers.values() if gripper.estop in estops]
    return np.concatenate(found) if found else np.zeros(0, dtype=int)


def check_can_grip(robot: RobotModel, driver: object) -> None:
    """Raise ConfigError for a gripper on a driver that cannot keep a grip in an e-stop."""
    if robot.grippers and not getattr(driver, 'can_grip', False):
        name = type(driver).__name__
        raise ConfigError(
            robot.directory / 'robot.yaml',
            'grippers',
            ', '.join(robot.grippers),
            f'none with {name}, which has no stiffness of its own for each joint: a grip would be '
            'lost in an e-stop; leave the section out, or use a driver with `can_grip`',
        )


@dataclass(frozen=True)
class GripperReading:
    """One gripper at one instant: m, m, N; see vla_interfaces/msg/GripperState."""

    name: str
    opening: float
    target: float
    force: float
    holding: bool
    kept: bool


def read_grippers(
    grippers: Mapping[str, Gripper], reading: Reading, reference: np.ndarray, passive: bool
) -> list[GripperReading]:
    """What the grippers do, from a valid reading and the reference (n,) of the servos."""
    found = []
    for gripper in grippers.values():
        opening = gripper.opening(reading.position)
        target = gripper.opening(reference)
        force = gripper.closing_force(reading.effort, opening)
        slope = gripper.slope(opening)
        speed = abs(float((reading.velocity[gripper.joints] / slope).mean()))
        holding = (
            force >= PRESSING * gripper.grip_force
            and speed <= AT_REST
            and opening > gripper.closed + CLOSED
            and target < opening
        )
        kept = passive and gripper.estop == 'hold'
        found.append(GripperReading(gripper.name, opening, target, force, holding, kept))
    return found
