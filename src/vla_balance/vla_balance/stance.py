# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot over its feet: what estimator and correction both compute from one reading.

All vectors are in a frame with the base's origin, z up and x along the base's heading: gravity is
known from the IMU, the position and heading in the world are not needed to balance.
"""

from __future__ import annotations

import math

import numpy as np

from vla_robot import RobotModel

GRAVITY = 9.81
LIFTED = 0.04  # m above the other sole: this foot is no support
FEET = ('left_foot', 'right_foot')


def level_rotation(orientation: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) from the IMU's axes to the level frame: its orientation less its yaw.

    orientation: (4,) wxyz, of the IMU in the world.
    """
    w, x, y, z = orientation
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / norm, x / norm, y / norm, z / norm
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    yaw = math.atan2(R[1, 0], R[0, 0])
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ R


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a × b for two (3,) vectors; np.cross costs ten times as much on single vectors."""
    return np.array(
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    )


class Stance:
    """Kinematics of the standing robot, updated once per reading.

    Afterwards: `rotation` (3, 3) base to level frame, `com` (3,), `com_velocity` (3,) m/s
    (unfiltered), `soles` (2, 3) centres of the soles, `weights` (2,) share of each foot in the
    load, `loads` (2,) N, `point` (3,) the middle of the soles on the ground, `foot_frames`.
    """

    def __init__(self, robot: RobotModel, contact_force: float) -> None:
        self._kinematics = robot.kinematics()
        self._contact_force = contact_force
        self._boxes = [robot.foot_boxes[foot] for foot in FEET]
        self._centres = [np.array([*box.center, box.height]) for box in self._boxes]
        # The IMU may sit on a link that is turned against the base.
        self._kinematics.update(np.zeros(robot.n))
        self._imu_in_base = self._kinematics.frame('imu')[0]
        self.rotation = np.eye(3)
        self.com = np.zeros(3)
        self.com_velocity = np.zeros(3)
        self.angular_velocity = np.zeros(3)
        self.soles = np.zeros((2, 3))
        self.loads = np.zeros(2)
        self.weights = np.full(2, 0.5)
        self.point = np.zeros(3)
        self.jacobians: list[np.ndarray] = []
        self.foot_frames: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def kinematics(self):
        """The calculator, at this state."""
        return self._kinematics

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
        self.rotation = imu_to_level @ self._imu_in_base.T
        kinematics = self._kinematics
        kinematics.update(q, v, self.rotation)
        self.com = kinematics.com
        omega = self.angular_velocity = imu_to_level @ angular_velocity
        self.jacobians = [kinematics.frame_jacobian(foot) for foot in FEET]
        self.foot_frames = [kinematics.frame(foot) for foot in FEET]
        velocities = np.zeros((2, 3))
        for i, (R, p) in enumerate(self.foot_frames):
            arm = R @ self._centres[i]
            self.soles[i] = p + arm
            twist = self.jacobians[i] @ v
            velocities[i] = twist[:3] + cross(twist[3:], arm)
            wrench = left_wrench if i == 0 else right_wrench
            self.loads[i] = max(float(R[2] @ wrench[:3]), 0.0)
        total = self.loads.sum()
        if total > self._contact_force:
            self.weights = self.loads / total
        else:
            self.weights = np.full(2, 0.5)
        # The load says which sole stands still, but not where the robot should be: over the more
        # loaded foot it always is. That is the middle of the feet that are on the ground's level.
        lowest = self.soles[:, 2].min()
        low = self.soles[:, 2] < lowest + LIFTED
        self.point = self.soles[low].mean(axis=0)
        anchor = self.weights @ self.soles
        self.com_velocity = (
            kinematics.com_velocity - self.weights @ velocities + cross(omega, self.com - anchor)
        )
