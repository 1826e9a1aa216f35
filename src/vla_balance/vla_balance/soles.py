# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The vertical as the legs measure it: the normal of two soles that lie flat on level ground."""

import numpy as np

from vla_balance.stance import FEET, GRAVITY
from vla_robot import RobotModel

INSIDE = 0.01  # m inside its edge that a sole's centre of pressure is where the sole lies flat
LOAD = 0.15  # of the weight, that each foot carries at least
PARALLEL = 0.1  # rad between the soles, at most
LEVEL = 0.02  # m between the heights of the soles, at most


class FlatSoles:
    """Updated once per reading; `flat` says whether the rest holds.

    A foot that tips carries its load on an edge or a corner. So a sole whose centre of pressure is
    well inside of it lies flat (Vukobratović: the zero-moment point). Two parallel soles at one
    height, both flat, are taken to stand on level ground.

    vertical: (3,) unit vector upwards; angular_velocity: (3,) rad/s of the base: both in the
    base's axes. load: N along the vertical, of both feet, flat or not. pressure_side, com_side: m
    to the left of the middle between the soles: centre of pressure (by the loads alone) and centre
    of mass.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._kinematics = robot.kinematics()
        self._boxes = [robot.foot_boxes[foot] for foot in FEET]
        self.weight = robot.total_mass * GRAVITY
        self.flat = False
        self.vertical = np.array([0.0, 0.0, 1.0])
        self.angular_velocity = np.zeros(3)
        self.load = 0.0
        self.pressure_side = self.com_side = 0.0

    def update(
        self, q: np.ndarray, v: np.ndarray, left_wrench: np.ndarray, right_wrench: np.ndarray
    ) -> None:
        """q rad, v rad/s: (n,); wrenches: (6,) of the ground on the foot, foot axes."""
        kinematics = self._kinematics
        kinematics.update(q, v)
        wrenches = (left_wrench, right_wrench)
        frames = [kinematics.frame(foot) for foot in FEET]
        left, right = (R[:, 2] for R, _ in frames)
        normal = left + right
        normal /= np.linalg.norm(normal) + 1e-9
        self.vertical = normal
        loads = [
            float(normal @ (R @ wrench[:3]))
            for (R, _), wrench in zip(frames, wrenches, strict=True)
        ]
        self.load = loads[0] + loads[1]
        across = frames[0][1] - frames[1][1]
        across -= float(across @ normal) * normal
        width = float(np.linalg.norm(across)) + 1e-9
        middle = 0.5 * (frames[0][1] + frames[1][1])
        self.com_side = float((kinematics.com - middle) @ across) / width
        share = (loads[0] - loads[1]) / self.load if self.load > 1.0 else 0.0
        self.pressure_side = 0.5 * width * share
        # Seen from a foot that rests, the base turns by the opposite of what the base sees.
        twists = [kinematics.frame_velocity(foot)[3:] for foot in FEET]
        self.angular_velocity = -0.5 * (twists[0] + twists[1])
        heights = [
            float(normal @ (p + box.height * R[:, 2]))
            for (R, p), box in zip(frames, self._boxes, strict=True)
        ]
        self.flat = (
            float(left @ right) >= np.cos(PARALLEL)
            and abs(heights[0] - heights[1]) <= LEVEL
            and all(self._pressed_flat(i, wrench) for i, wrench in enumerate(wrenches))
        )

    def _pressed_flat(self, side: int, wrench: np.ndarray) -> bool:
        fx, fy, fz, mx, my, _ = wrench.tolist()
        if not fz >= LOAD * self.weight:
            return False
        box = self._boxes[side]
        x = (box.height * fx - my) / fz - box.center[0]
        y = (box.height * fy + mx) / fz - box.center[1]
        return abs(x) <= 0.5 * box.size[0] - INSIDE and abs(y) <= 0.5 * box.size[1] - INSIDE
