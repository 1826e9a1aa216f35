# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pose of the robot's camera, from joint positions and IMU."""

import math
from dataclasses import dataclass

import numpy as np

from vla_common.rotation import rotation_matrix
from vla_robot import RobotModel

FEET = ('left_foot', 'right_foot')


@dataclass(frozen=True)
class CameraPose:
    """rotation: (3, 3) from the optical frame to a level frame with the heading of the feet (of the
    base, without feet): the IMU's own heading drifts. position: (3,) m in that frame, from the
    point between the soles, z above the lower one; without feet from the base."""

    rotation: np.ndarray
    position: np.ndarray
    above_soles: bool


class CameraMount:
    """The camera of robot.yaml. Not thread-safe."""

    def __init__(self, robot: RobotModel) -> None:
        self._robot, self._kinematics = robot, robot.kinematics()
        self._feet = tuple(foot for foot in FEET if foot in robot.frames)

    def is_frame(self, frame_id: str) -> bool:
        """Whether images of this frame are of this camera."""
        frames, name = self._robot.frames, self._robot.camera.frame
        return frames.get(frame_id, frame_id) == frames[name]

    def focal(self, height: int) -> float:
        """Focal length (px) of an image of so many rows."""
        return 0.5 * height / math.tan(0.5 * self._robot.camera.fovy)

    def pose(self, position: np.ndarray, orientation: np.ndarray) -> CameraPose:
        """position: (n,) rad. orientation: (4,) wxyz of the IMU."""
        kinematics = self._kinematics
        kinematics.update(position)
        base = rotation_matrix(orientation) @ kinematics.frame('imu')[0].T
        feet = [kinematics.frame(foot)[0] for foot in self._feet]
        forward = base @ (sum(foot[:, 0] for foot in feet) if feet else np.array([1.0, 0.0, 0.0]))
        yaw = math.atan2(forward[1], forward[0])
        c, s = math.cos(yaw), math.sin(yaw)
        base = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ base
        rotation, place = kinematics.frame(self._robot.camera.frame)
        place = base @ place
        if feet:
            soles = np.array([self._sole(foot, base) for foot in self._feet])
            place = place - np.array([*soles[:, :2].mean(axis=0), soles[:, 2].min()])
        return CameraPose(base @ rotation, place, bool(feet))

    def _sole(self, foot: str, base: np.ndarray) -> np.ndarray:
        """(3,) m from the base, level axes: x, y of a sole's centre, z of its lowest corner."""
        rotation, place = self._kinematics.frame(foot)
        corners = (place + self._robot.foot_boxes[foot].corners @ rotation.T) @ base.T
        return np.array([*corners[:, :2].mean(axis=0), corners[:, 2].min()])
