# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The topics that the drill can tamper with, and what has to follow when one falls silent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from geometry_msgs.msg import WrenchStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Imu, JointState
from trajectory_msgs.msg import JointTrajectory

from vla_common import qos
from vla_interfaces.msg import (
    BalanceState,
    DriverStatus,
    InferenceStatus,
    SafetyStatus,
    SupervisorState,
    WorldState,
)

RAW = '/drill/raw'
"""Before a topic's name: what its publisher really said, on its way to the relay."""


@dataclass(frozen=True)
class Topic:
    """A topic, who publishes it, and the mode in which the robot must end without it."""

    name: str
    kind: Any
    publisher: str
    without: str
    profile: QoSProfile = field(default_factory=lambda: qos.STATE)

    @property
    def raw(self) -> str:
        """The relay's side of it."""
        return RAW + self.name


TOPICS = (
    Topic('/joint_states', JointState, 'hardware_driver', 'SAFE_STOP'),
    Topic('/imu/data', Imu, 'hardware_driver', 'SAFE_STOP'),
    Topic('/foot_wrenches/left', WrenchStamped, 'hardware_driver', 'SAFE_STOP'),
    Topic('/foot_wrenches/right', WrenchStamped, 'hardware_driver', 'SAFE_STOP'),
    Topic('/hardware/status', DriverStatus, 'hardware_driver', 'ESTOP'),
    # The filter needs it to begin a motion, not to go on with one.
    Topic('/hardware/joint_reference', JointState, 'hardware_driver', 'RUNNING'),
    Topic('/sim/world_state', WorldState, 'hardware_driver', 'SAFE_STOP'),
    Topic('/balance/state', BalanceState, 'balance_monitor', 'SAFE_STOP'),
    Topic('/camera/color/camera_info', CameraInfo, 'camera', 'SAFE_STOP', qos.IMAGE),
    Topic('/safety/status', SafetyStatus, 'safety_filter', 'SAFE_STOP'),
    Topic('/joint_command', JointState, 'safety_filter', 'SAFE_STOP', qos.COMMAND),
    Topic('/vla/action_chunk', JointTrajectory, 'inference', 'SAFE_STOP', qos.COMMAND),
    Topic('/vla/inference_status', InferenceStatus, 'inference', 'SAFE_STOP'),
    Topic('/supervisor/state', SupervisorState, 'supervisor', 'SAFE_STOP'),
)
BY_NAME = {topic.name: topic for topic in TOPICS}
