# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Cross-checks of the sensors in the servo loop: what two sensors measure must agree.

Before the supervisor arms the robot they must have agreed, and from then on they keep agreeing.
A disagreement is a safe stop: each reading by itself is plausible, the servos still work, and the
balance goes on with what can be trusted.
"""

from dataclasses import replace
from enum import StrEnum

import numpy as np

from vla_balance.foot_force_check import FootForceCheck
from vla_balance.imu_check import ImuCheck
from vla_hardware.joint_check import FollowingCheck, VelocityCheck
from vla_robot import Reading, RobotModel

STILL = 0.5  # rad/s of any joint
UPRIGHT = 0.15  # sine of half the tilt: 0.3 rad


class Disagreement(StrEnum):
    """Which sensors disagree; the name of the supervisor's cause."""

    NONE = ''
    IMU = 'imu_disagreement'
    JOINT_VELOCITY = 'joint_velocity_disagreement'
    FOOT_FORCE = 'foot_force_disagreement'
    FOLLOWING_ERROR = 'following_error'
    UNCONFIRMED = 'imu_unconfirmed'

    @property
    def refuses_only(self) -> bool:
        """Whether it only prevents arming: nothing is known to be wrong."""
        return self is Disagreement.UNCONFIRMED


class CrossCheck:
    """Checks a sequence of valid readings.

    After `update`: `found` and `detail` (a text for the operator), and `usable`: the reading as
    balance and gravity compensation may use it.

    stands: the robot can fall, and so has an IMU and feet whose readings must agree.
    period: s between readings.
    """

    def __init__(self, robot: RobotModel, stands: bool, period: float) -> None:
        self._imu = ImuCheck(robot, period) if stands else None
        self._feet = FootForceCheck(robot.total_mass)
        self._velocity = VelocityCheck(robot.joint_names)
        self._following = FollowingCheck(robot.joint_names)
        self._passive = True
        self.found, self.detail = Disagreement.NONE, ''
        self.usable: Reading | None = None

    @property
    def can_balance(self) -> bool:
        """Whether the velocities can be trusted. A correction with wrong ones shakes the robot off
        its feet within half a second; the servos alone hold a robot that stands still."""
        return not self._velocity.cause

    def restart(self) -> None:
        """The robot was put elsewhere, or driven by something else."""
        if self._imu is not None:
            self._imu.restart()
        self._feet.restart()
        self._velocity.restart()
        self._following.restart()

    def update(
        self, now: float, reading: Reading, target: np.ndarray | None, passive: bool
    ) -> None:
        """now: s, steady. target: (n,) rad, last written to the servos; None before the first.
        passive: the servos are not stiff; a robot that sinks to the ground is not checked."""
        if passive:
            if not self._passive:
                self.restart()
            self._passive = True
            self.found, self.detail, self.usable = Disagreement.NONE, '', reading
            return
        self._passive = False
        self._velocity.update(now, reading.position, reading.velocity)
        if target is not None:
            self._following.update(now, reading.position, target)
        self.usable = self._update_imu(now, reading) if self._imu is not None else reading
        self.found, self.detail = self._worst()

    def _update_imu(self, now: float, reading: Reading) -> Reading:
        imu = self._imu
        assert imu is not None
        imu.update(
            now,
            reading.position,
            reading.velocity,
            reading.orientation,
            reading.angular_velocity,
            reading.linear_acceleration,
            reading.left_wrench,
            reading.right_wrench,
            reading.has_orientation,
        )
        if imu.compared_at == now:
            speed = float(np.maximum.reduce(np.abs(reading.velocity)))
            self._feet.update(now, imu.soles, speed <= STILL and imu.tilt <= UPRIGHT)
        if not imu.disagreement:
            return reading
        return replace(reading, orientation=imu.orientation, angular_velocity=imu.angular_velocity)

    def _worst(self) -> tuple[Disagreement, str]:
        imu = self._imu
        for found, text in (
            (Disagreement.IMU, imu.disagreement if imu is not None else ''),
            (Disagreement.JOINT_VELOCITY, self._velocity.cause),
            (Disagreement.FOOT_FORCE, self._feet.cause),
            (Disagreement.FOLLOWING_ERROR, self._following.cause),
        ):
            if text:
                return found, text
        if imu is not None and not imu.confirmed:
            return Disagreement.UNCONFIRMED, imu.unconfirmed
        return Disagreement.NONE, ''
