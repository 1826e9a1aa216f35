# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The topics of the workspace: type, publisher, subscribers, QoS, heartbeat. One table for all.

Nodes, launch, validation and the tables in the READMEs read it. Types and QoS profiles are names
here, so that cores without rclpy may read the table too; `message_type` and `vla_common.qos` turn
them into objects.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Topic:
    """One topic.

    Args:
        name: absolute topic name.
        type: message type as `ros2 interface` writes it, e.g. 'sensor_msgs/msg/JointState'.
        publisher: node that publishes it; empty where users do.
        subscribers: nodes of this workspace that subscribe to it.
        qos: name of the publisher's profile in `vla_common.qos`.
        heartbeat: the supervisor judges from it whether the publisher is alive.
        single_publisher: a second publisher is a fault: two commanders, or two sources of truth.
    """

    name: str
    type: str
    publisher: str
    subscribers: tuple[str, ...] = ()
    qos: str = 'STATE'
    heartbeat: bool = False
    single_publisher: bool = False

    def message_type(self) -> type[Any]:
        """Import the message class."""
        package, _, name = self.type.split('/')
        return getattr(importlib.import_module(f'{package}.msg'), name)


JOINT_COMMAND = Topic(
    '/joint_command',
    'sensor_msgs/msg/JointState',
    'safety_filter',
    ('hardware_driver',),
    qos='COMMAND',
    single_publisher=True,
)
SUPERVISOR_STATE = Topic(
    '/supervisor/state',
    'vla_interfaces/msg/SupervisorState',
    'supervisor',
    ('hardware_driver', 'safety_filter', 'inference'),
    single_publisher=True,
)
ACTION_CHUNK = Topic(
    '/vla/action_chunk',
    'trajectory_msgs/msg/JointTrajectory',
    'inference',
    ('safety_filter',),
    qos='COMMAND',
    single_publisher=True,
)
JOINT_STATES = Topic(
    '/joint_states',
    'sensor_msgs/msg/JointState',
    'hardware_driver',
    ('inference', 'safety_filter', 'balance_monitor', 'state_publisher'),
    single_publisher=True,
)
IMU = Topic(
    '/imu/data',
    'sensor_msgs/msg/Imu',
    'hardware_driver',
    ('inference', 'safety_filter', 'balance_monitor', 'state_publisher'),
    single_publisher=True,
)
LEFT_FOOT_WRENCH = Topic(
    '/foot_wrenches/left',
    'geometry_msgs/msg/WrenchStamped',
    'hardware_driver',
    ('balance_monitor',),
    single_publisher=True,
)
RIGHT_FOOT_WRENCH = Topic(
    '/foot_wrenches/right',
    'geometry_msgs/msg/WrenchStamped',
    'hardware_driver',
    ('balance_monitor',),
    single_publisher=True,
)
HARDWARE_STATUS = Topic(
    '/hardware/status',
    'vla_interfaces/msg/DriverStatus',
    'hardware_driver',
    ('supervisor',),
    heartbeat=True,
    single_publisher=True,
)
JOINT_REFERENCE = Topic(
    '/hardware/joint_reference',
    'sensor_msgs/msg/JointState',
    'hardware_driver',
    ('safety_filter',),
    single_publisher=True,
)
BATTERY = Topic('/battery_state', 'sensor_msgs/msg/BatteryState', 'hardware_driver')
ROBOT_DESCRIPTION = Topic(
    '/robot_description', 'std_msgs/msg/String', 'hardware_driver', qos='LATCHED'
)
WORLD_STATE = Topic(
    '/sim/world_state', 'vla_interfaces/msg/WorldState', 'hardware_driver', ('camera',)
)
SCENE = Topic('/sim/scene', 'std_msgs/msg/String', 'hardware_driver', ('camera',), qos='LATCHED')
PUSH = Topic('/sim/push', 'geometry_msgs/msg/WrenchStamped', '', ('hardware_driver',), 'COMMAND')
SIM_FAULT = Topic('/sim/fault', 'std_msgs/msg/String', '', ('hardware_driver',), qos='COMMAND')
BALANCE_STATE = Topic(
    '/balance/state',
    'vla_interfaces/msg/BalanceState',
    'balance_monitor',
    ('supervisor', 'safety_filter'),
    heartbeat=True,
    single_publisher=True,
)
BALANCE_MARKERS = Topic('/balance/markers', 'visualization_msgs/msg/MarkerArray', 'balance_monitor')
COLOR_IMAGE = Topic(
    '/camera/color/image_raw', 'sensor_msgs/msg/Image', 'camera', ('inference',), qos='IMAGE'
)
CAMERA_INFO = Topic(
    '/camera/color/camera_info',
    'sensor_msgs/msg/CameraInfo',
    'camera',
    ('supervisor',),
    heartbeat=True,
    single_publisher=True,
)
DEPTH_IMAGE = Topic(
    '/camera/depth/image_raw', 'sensor_msgs/msg/Image', 'camera', ('inference',), qos='IMAGE'
)
SAFETY_STATUS = Topic(
    '/safety/status',
    'vla_interfaces/msg/SafetyStatus',
    'safety_filter',
    ('supervisor', 'inference'),
    heartbeat=True,
    single_publisher=True,
)
PROXIMITY = Topic('/proximity', 'sensor_msgs/msg/Range', '', ('safety_filter',))
INSTRUCTION = Topic('/vla/instruction', 'std_msgs/msg/String', '', ('inference',), qos='COMMAND')
INFERENCE_STATUS = Topic(
    '/vla/inference_status',
    'vla_interfaces/msg/InferenceStatus',
    'inference',
    ('supervisor',),
    heartbeat=True,
    single_publisher=True,
)
CHUNK_REPORT = Topic(
    '/vla/chunk_report', 'vla_interfaces/msg/ChunkReport', 'inference', qos='EVENT'
)
DIAGNOSTICS = Topic(
    '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', 'all nodes', ('supervisor',), qos='EVENT'
)

TOPICS: tuple[Topic, ...] = tuple(value for value in globals().values() if isinstance(value, Topic))
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}

HEARTBEAT_TOPIC: dict[str, str] = {
    topic.publisher: topic.name
    for topic in (HARDWARE_STATUS, BALANCE_STATE, CAMERA_INFO, SAFETY_STATUS, INFERENCE_STATUS)
}
"""The supervised nodes in bring-up order, each with the topic whose messages are its heartbeat."""

SINGLE_PUBLISHER: tuple[str, ...] = tuple(t.name for t in TOPICS if t.single_publisher)


def inputs_table(node: str) -> str:
    """Markdown table of the topics that `node` subscribes to, for its README."""
    return _table([t for t in TOPICS if node in t.subscribers])


def outputs_table(node: str) -> str:
    """Markdown table of the topics that `node` publishes, for its README."""
    return _table([t for t in TOPICS if t.publisher in (node, 'all nodes')])


def _table(topics: list[Topic]) -> str:
    rows = ['| topic | type | QoS | |', '|---|---|---|---|']
    for t in topics:
        notes = ['heartbeat'] * t.heartbeat + ['one publisher only'] * t.single_publisher
        rows.append(f'| `{t.name}` | `{t.type}` | {t.qos} | {", ".join(notes)} |')
    return '\n'.join(rows)
