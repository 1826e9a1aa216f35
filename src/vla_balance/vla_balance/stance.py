# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Kinematics of the robot over its feet, used by estimator and correction.

All vectors are in a frame with the base's origin, z up and x along the base's heading: gravity is
known from the IMU, the position and heading in the world are not needed to balance.
"""

import math

import numpy as np

from vla_common.rotation import level_rotation
from vla_robot import RobotModel

GRAVITY = 9.81
LIFTED = 0.04  # m above the other sole: this foot is no support
FEET = ('left_foot', 'right_foot')


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a × b for two (3,) vectors; np.cross costs ten times as much on single vectors."""
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


class Stance:
    """Kinematics of the standing robot, updated once per reading.

    Afterwards: `rotation` (3, 3) base to level frame, `com` (3,), `com_velocity` (3,) m/s
    (unfiltered), `soles` (2, 3) centres of the soles, `weights` (2,) share of each foot in the
    load, `loads` (2,) N, `point` (3,) the middle of the soles on the ground, `foot_frames`,
    `kinematics`.
    """

    def __init__(self, robot: RobotModel, contact_force: float) -> None:
        self.kinematics = robot.kinematics()
        self._contact_force = contact_force
        self._boxes = [robot.foot_boxes[foot] for foot in FEET]
        self._centres = [np.array([*box.center, box.height]) for box in self._boxes]
        # The IMU may sit on a link that is turned against the base.
        self.kinematics.update(np.zeros(robot.n))
        self._base_in_imu = self.kinematics.frame('imu')[0].T
        self.rotation = np.eye(3)
        self.com = np.zeros(3)
        self.com_velocity = np.zeros(3)
        self.angular_velocity = np.zeros(3)
        self.soles = np.zeros((2, 3))
        self.loads = np.zeros(2)
        self._velocities = np.zeros((2, 3))
        self.weights = np.full(2, 0.5)
        self.point = np.zeros(3)
        self.foot_frames: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def height(self) -> float:
        """m from the soles to the centre of mass, at least 0.1 (for the pendulum's frequency)."""
        return max(float(self.com[2] - self.point[2]), 0.1)

    @property
    def omega(self) -> float:
        """rad/s, natural frequency √(g/h) of the linear inverted pendulum."""
        return math.sqrt(GRAVITY / self.height)

    @property
    def contacts(self) -> np.ndarray:
        """(2,) bool, which feet carry more than the contact force."""
        return self.loads > self._contact_force

    def update(
        self,
        q: np.ndarray,
        v: np.ndarray,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        left_wrench: np.ndarray,
        right_wrench: np.ndarray,
    ) -> None:
        """q rad, v rad/s: (n,); orientation: wxyz; angular_velocity: rad/s, IMU axes; wrenches:
        (6,) N and Nm, foot axes."""
        imu_to_level = level_rotation(orientation)
        self.rotation = imu_to_level @ self._base_in_imu
        kinematics = self.kinematics
        kinematics.update(q, v, self.rotation)
        self.com = kinematics.com
        omega = self.angular_velocity = imu_to_level @ angular_velocity
        self.foot_frames = [kinematics.frame(foot) for foot in FEET]
        velocities, soles = self._velocities, self.soles
        for i, (R, p) in enumerate(self.foot_frames):
            arm = R @ self._centres[i]
            np.add(p, arm, out=soles[i])
            twist = kinematics.frame_velocity(FEET[i])
            np.add(twist[:3], cross(twist[3:], arm), out=velocities[i])
            wrench = left_wrench if i == 0 else right_wrench
            self.loads[i] = max(float(R[2] @ wrench[:3]), 0.0)
        left, right = self.loads.tolist()
        share = left / (left + right) if left + right > self._contact_force else 0.5
        self.weights[:] = share, 1.0 - share
        # The load shows which sole stands still, not where the robot should be: it always is over
        # the more loaded foot. The target is the middle of the feet on the level of the ground.
        higher = float(soles[0, 2] - soles[1, 2])
        if abs(higher) < LIFTED:
            self.point = 0.5 * (soles[0] + soles[1])
        else:
            self.point = soles[1 if higher > 0.0 else 0].copy()
        anchor = self.weights @ soles
        self.com_velocity = (
            kinematics.com_velocity - self.weights @ velocities + cross(omega, self.com - anchor)
        )

    def leg_jacobian(self, side: int, joints: np.ndarray) -> np.ndarray:
        """(6, len(joints)): how joints move the left (0) or right (1) foot, level frame."""
        return self.kinematics.frame_jacobian(FEET[side])[:, joints]
