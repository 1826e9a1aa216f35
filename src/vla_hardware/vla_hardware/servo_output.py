# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From the position reference to the servos: balance offset, clamps, feed-forward, gains, power."""

import math
from typing import Protocol

import numpy as np

from vla_common.rotation import rotation_matrix
from vla_common.states import Behaviour
from vla_hardware.command_gate import CommandGate
from vla_hardware.drivers.base import Driver, Gains, require_finite
from vla_hardware.faults import ErrorCounter
from vla_hardware.grip import Grips
from vla_hardware.limits import ServoLimits
from vla_hardware.reference_motion import ReferenceMotion, clamp
from vla_robot import Reading, RobotModel

STIFFEN_TIME = 0.5
"""s, for a driver that does not say."""


class Balance(Protocol):
    """The part of `vla_balance.correction.BalanceCorrection` that the servo loop uses."""

    def update(
        self,
        dt: float,
        q: np.ndarray,
        v: np.ndarray,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        left_wrench: np.ndarray,
        right_wrench: np.ndarray,
        reference: np.ndarray,
    ) -> np.ndarray: ...

    def reset(self) -> None: ...


class NoBalance:
    """For a robot that cannot fall: no physics, or a fixed base."""

    def __init__(self, n: int) -> None:
        self._zeros = np.zeros(n)

    def update(self, *state: object) -> np.ndarray:
        return self._zeros

    def reset(self) -> None:
        pass


class ServoOutput:
    """Writes the servo targets of one cycle.

    target = reference + bounded balance offset, inside the URDF's position limits and, from one
    cycle to the next, inside its velocity limits. It begins at the measured position when the
    motors become stiff; stiffness and feed-forward rise from zero in `Driver.stiffen_time`.
    Grippers that have become stiff stay it while the other joints are damped, and do not begin anew
    with them.
    """

    def __init__(
        self,
        robot: RobotModel,
        limits: ServoLimits,
        driver: Driver,
        balance: Balance,
        errors: ErrorCounter,
    ) -> None:
        n, bounds = robot.n, robot.limits
        kp, kv = robot.servo.kp, robot.servo.kv
        self._driver, self._limits, self._errors = driver, limits, errors
        self._kinematics = robot.kinematics()
        self._lower, self._upper, self._velocity_limit = bounds.lower, bounds.upper, bounds.velocity
        self._effort_limit = bounds.effort
        self._servo_gains = Gains(kp, kv)
        self._stiffen_time = float(getattr(driver, 'stiffen_time', STIFFEN_TIME))
        self._stiffness = 0.0  # share of kp and of the feed-forward in force
        damped = Gains(np.zeros(n), kv * limits.damp_factor)
        self._passive_gains = {
            Behaviour.DAMP: damped,
            Behaviour.OFF: Gains(np.zeros(n), np.zeros(n)),
        }
        self._kept = Grips(robot.grippers, n).kept
        self._gripping = Gains(damped.kp.copy(), damped.kv.copy())  # grippers stiff, others damped
        self._gripping.kp[self._kept], self._gripping.kv[self._kept] = (
            kp[self._kept],
            kv[self._kept],
        )
        self._grips = False  # whether the grippers have become stiff
        # Does not carry the robot, nor an object.
        self._upper_body = np.setdiff1d(robot.groups['upper_body'], robot.gripper_joints)
        self._zeros = np.zeros(n)
        self._target = np.zeros(n)
        self.last_target: np.ndarray | None = None  # rad
        self._effort = np.zeros(n)
        self._powered = False
        self.balance = balance
        self.balancing = True  # False: the sensors that it needs cannot be trusted
        self.offset = np.zeros(n)  # rad, of the balance correction

    def reset(self, regrip: bool = False) -> None:
        """The robot was moved by something else: forget filters and the last target.

        regrip: the grippers begin anew too.
        """
        self._grips = self._grips and not regrip
        self.balance.reset()
        self.last_target = None
        self._stiffness = 0.0

    def write(
        self,
        motion: ReferenceMotion,
        behaviour: Behaviour,
        gate: CommandGate,
        reading: Reading | None,
        dt: float,
    ) -> None:
        """Write once, `dt` s after the last cycle. Never raises; errors are counted.

        gate: whose effort is fed forward while tracking.
        """
        try:
            powered = behaviour is not Behaviour.OFF
            if powered is not self._powered:
                self._driver.power(powered)
                self._powered = powered
            if behaviour.passive or reading is None:
                self.offset[:] = 0.0
                gains = self._passive_gains[Behaviour.OFF if not powered else Behaviour.DAMP]
                self._grips = self._grips and powered
                if self._grips:
                    gains = self._gripping
                self._driver.write(motion.position, self._zeros, self._zeros, gains)
            else:
                self._compute_target(motion, reading, dt)
                if behaviour is Behaviour.TRACK:
                    effort = gate.effort
                else:
                    effort = self._gravity(reading.position, reading.orientation)
                clamp(effort, -self._effort_limit, self._effort_limit, self._effort)
                gains = self._stiffen(dt)
                target = self._target, motion.velocity, self._effort
                require_finite(*target)  # `clamp` lets NaN through
                self._driver.write(*target, gains)
        except Exception as error:
            self._errors.add(str(error))
        else:
            self._errors.in_row = 0

    def _stiffen(self, dt: float) -> Gains:
        """The gains of this cycle; scales `_effort` alike."""
        if self._stiffness >= 1.0:
            return self._servo_gains
        step = dt / self._stiffen_time if self._stiffen_time > 0.0 else 1.0
        share = self._stiffness = min(self._stiffness + step, 1.0)
        if share >= 1.0:
            self._grips = len(self._kept) > 0
            return self._servo_gains
        self._effort *= share
        stiffness = self._servo_gains.kp * share
        if self._grips:
            stiffness[self._kept] = self._servo_gains.kp[self._kept]
        return Gains(stiffness, self._servo_gains.kv)

    def _gravity(self, position: np.ndarray, orientation: np.ndarray) -> np.ndarray:
        """Gravity torque of the upper body (n,) Nm; orientation: (4,) wxyz of the base."""
        return self._kinematics.gravity_torque(position, rotation_matrix(orientation))

    def _correction(self, motion: ReferenceMotion, reading: Reading, dt: float) -> np.ndarray:
        return self.balance.update(
            dt,
            reading.position,
            reading.velocity,
            reading.orientation,
            reading.angular_velocity,
            reading.left_wrench,
            reading.right_wrench,
            motion.position,
        )

    def _compute_target(self, motion: ReferenceMotion, reading: Reading, dt: float) -> None:
        offset = self._correction(motion, reading, dt) if self.balancing else self._zeros
        bound = self._limits.max_balance_offset
        if math.isfinite(offset @ offset):
            clamp(offset, -bound, bound, self.offset)
        else:
            # Its filters would keep the NaN for good; the last offset stays for one cycle.
            self.balance.reset()
        target = self._target
        np.add(motion.position, self.offset, out=target)
        if motion.behaviour is Behaviour.STAND:
            # An arm that meets a table presses on it only so hard: a robot that pushes itself off
            # ever harder falls over. Legs are left out, their torque is the balance.
            arms, lead = self._upper_body, self._limits.stand_lead
            at = reading.position[arms]
            target[arms] = np.clip(target[arms], at - lead, at + lead)
        clamp(target, self._lower, self._upper, target)
        if self.last_target is None:
            # The robot does not leap to a reference that it is not at.
            kept = target[self._kept]
            clamp(reading.position, self._lower, self._upper, target)
            if self._grips:
                target[self._kept] = kept
            self.last_target = target.copy()
            return
        step = self._velocity_limit * dt
        clamp(target, self.last_target - step, self.last_target + step, target)
        self.last_target[:] = target
