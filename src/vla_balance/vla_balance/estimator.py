# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Balance estimate of a standing robot from IMU, encoders and foot wrenches."""

import math
from dataclasses import dataclass

import numpy as np

from vla_balance.stance import FEET, LIFTED, Stance, cross
from vla_common.polygon import convex_hull, signed_margin
from vla_robot import RobotModel


@dataclass(frozen=True)
class BalanceEstimate:
    """One estimate. Vectors are in the frame "support": origin at the middle of the soles on the
    ground, z up, x along the base's heading; m, m/s, rad.

    orientation: wxyz of the IMU as read. tilt: base z to vertical; tilt_rate: rad/s, growing is
    positive. capture_point, zmp: (2,) on the ground, zmp NaN without load. polygon: (k, 2)
    counter-clockwise, (0, 2) without contact. margin: of the capture point inside the polygon,
    -inf without contact. reach_margin: the same with a foot that hovers less than LIFTED over the
    ground counted in: where the robot, tipping back, puts it down. base_height: above the lower
    sole. omega: rad/s of the pendulum.
    base_rotation, base_position: base axes to "support" axes, and the base's origin in "support".
    """

    orientation: np.ndarray
    tilt: float
    tilt_rate: float
    com: np.ndarray
    com_velocity: np.ndarray
    capture_point: np.ndarray
    zmp: np.ndarray
    polygon: np.ndarray
    margin: float
    reach_margin: float
    base_height: float
    left_contact: bool
    right_contact: bool
    omega: float
    base_rotation: np.ndarray
    base_position: np.ndarray


@dataclass(frozen=True)
class EstimatorParams:
    """contact_force: N, above it a foot is in contact (it loses it below half of that).
    velocity_filter_time: s, time constant of the low-pass on the centre of mass's velocity."""

    contact_force: float
    velocity_filter_time: float


class BalanceEstimator:
    """Filters one stream of readings; not thread-safe."""

    def __init__(self, robot: RobotModel, params: EstimatorParams) -> None:
        self._params = params
        self._stance = Stance(robot, params.contact_force)
        self._corners = [robot.foot_boxes[foot].corners for foot in FEET]
        self._velocity = np.zeros(3)
        self._contact = [False, False]
        self._last: float | None = None

    def reset(self) -> None:
        """Forget the filter state."""
        self._last = None
        self._contact = [False, False]

    def update(
        self,
        now: float,
        q: np.ndarray,
        v: np.ndarray,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        left_wrench: np.ndarray,
        right_wrench: np.ndarray,
    ) -> BalanceEstimate:
        """One reading at `now` (s, steady). q, v: (n,) rad, rad/s; orientation: (4,) wxyz;
        angular_velocity: (3,) rad/s, IMU axes; wrenches: (6,), ground on foot, foot axes."""
        stance = self._stance
        stance.update(q, v, orientation, angular_velocity, left_wrench, right_wrench)
        speed = stance.com_velocity
        if self._last is None:
            self._velocity[:] = speed
        else:
            dt = max(now - self._last, 0.0)
            self._velocity += (
                (speed - self._velocity) * dt / (self._params.velocity_filter_time + dt + 1e-9)
            )
        self._last = now

        for i in range(2):
            threshold = self._params.contact_force * (0.5 if self._contact[i] else 1.0)
            self._contact[i] = bool(stance.loads[i] > threshold)
        corners = [p + self._corners[i] @ R.T for i, (R, p) in enumerate(stance.foot_frames)]
        ground = min(float(c[:, 2].min()) for c in corners)
        origin = np.array([stance.point[0], stance.point[1], ground])
        com = stance.com - origin
        velocity = self._velocity.copy()
        capture = com[:2] + velocity[:2] / stance.omega
        polygon = self._polygon(corners, origin)
        margin = signed_margin(polygon, capture)
        up = stance.rotation[:, 2]
        tilt = math.acos(min(max(float(up[2]), -1.0), 1.0))
        return BalanceEstimate(
            orientation=np.array(orientation, dtype=float),
            tilt=tilt,
            tilt_rate=self._tilt_rate(up, stance.angular_velocity, tilt),
            com=com,
            com_velocity=velocity,
            capture_point=capture,
            zmp=self._zmp(origin, (left_wrench, right_wrench)),
            polygon=polygon,
            margin=margin,
            reach_margin=self._reach_margin(polygon, margin, corners, origin, capture),
            base_height=-ground,
            left_contact=self._contact[0],
            right_contact=self._contact[1],
            omega=stance.omega,
            base_rotation=stance.rotation.copy(),
            base_position=-origin,
        )

    def _polygon(self, corners: list[np.ndarray], origin: np.ndarray) -> np.ndarray:
        """Hull of the lowest corners of the feet in contact: a foot on its edge is an edge."""
        points = []
        for i in range(2):
            if self._contact[i]:
                low = corners[i][:, 2] < corners[i][:, 2].min() + LIFTED
                points.append(corners[i][low, :2] - origin[:2])
        return convex_hull(np.concatenate(points)) if points else np.zeros((0, 2))

    def _reach_margin(
        self,
        polygon: np.ndarray,
        margin: float,
        corners: list[np.ndarray],
        origin: np.ndarray,
        capture: np.ndarray,
    ) -> float:
        if self._contact[0] is self._contact[1]:
            return margin
        hovering = corners[1 if self._contact[0] else 0]
        low = hovering[:, 2] < origin[2] + LIFTED
        if not low.any():
            return margin
        reach = np.concatenate([polygon, hovering[low, :2] - origin[:2]])
        return signed_margin(convex_hull(reach), capture)

    def _zmp(self, origin: np.ndarray, wrenches: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Zero-moment point (Vukobratović): where the ground's force has no horizontal moment."""
        force, moment = np.zeros(3), np.zeros(3)
        for (R, p), wrench in zip(self._stance.foot_frames, wrenches, strict=True):
            f = R @ wrench[:3]
            force += f
            moment += R @ wrench[3:] + cross(p - origin, f)
        if not force[2] > self._params.contact_force:
            return np.full(2, np.nan)
        return np.array([-moment[1], moment[0]]) / force[2]

    @staticmethod
    def _tilt_rate(up: np.ndarray, omega: np.ndarray, tilt: float) -> float:
        """d/dt acos(up_z) = -up_z' / sin(tilt), up' = ω × up."""
        up_z_rate = omega[0] * up[1] - omega[1] * up[0]
        return -up_z_rate / max(math.sin(tilt), 1e-3)
