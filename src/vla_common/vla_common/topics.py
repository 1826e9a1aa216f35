# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The topics of the workspace: type, publisher, subscribers, QoS, heartbeat. One table for all.

Nodes, launch, validation and the tables in the READMEs read it. Types and QoS profiles are names
here, so that cores without rclpy may read the table too; `message_type` and `vla_common.qos` turn
them into objects.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Topic:
    """One topic.

    Args:
        name: absolute topic name.
        type: message type as `ros2 interface` writes it, e.g. 'sensor_msgs/msg/JointState'.
        content: for the tables in the READMEs.
        publisher: node that publishes it; empty where users do.
        subscribers: nodes of this workspace that subscribe to it.
        qos: name of the publisher's profile in `vla_common.qos`.
        single_publisher: a second publisher is a fault: two commanders, or two sources of truth.
    """

    name: str
    type: str
    content: str
    publisher: str
    subscribers: tuple[str, ...] = ()
    qos: str = 'STATE'
    single_publisher: bool = True

    def message_type(self) -> type[Any]:
        """Import the message class."""
        package, _, name = self.type.split('/')
        return getattr(importlib.import_module(f'{package}.msg'), name)


# fmt: off
JOINT_COMMAND = Topic('/joint_command', 'sensor_msgs/msg/JointState',
    'command to all joints; feed-forward effort', 'safety_filter', ('hardware_driver',))
SUPERVISOR_STATE = Topic('/supervisor/state', 'vla_interfaces/msg/SupervisorState',
    'mode, behaviour, motion epoch, speed scale, causes', 'supervisor',
    ('hardware_driver', 'safety_filter', 'inference'))
ACTION_CHUNK = Topic('/vla/action_chunk', 'trajectory_msgs/msg/JointTrajectory',
    'joint targets over the horizon, stamped with the time of the observation', 'inference',
    ('safety_filter',), qos='COMMAND')
GRIPPER_COMMAND = Topic('/gripper/command', 'vla_interfaces/msg/GripperCommand',
    'opening, force and speed of grippers, until a chunk covers their joints', '',
    ('safety_filter',), qos='COMMAND', single_publisher=False)
GRIPPER_STATE = Topic('/gripper/state', 'vla_interfaces/msg/GripperState',
    'opening, estimated force, whether it holds something; for a robot with grippers',
    'hardware_driver')
JOINT_STATES = Topic('/joint_states', 'sensor_msgs/msg/JointState',
    'measured position, velocity and effort of all joints', 'hardware_driver',
    ('inference', 'safety_filter', 'balance_monitor', 'monitor'))
IMU = Topic('/imu/data', 'sensor_msgs/msg/Imu',
    'orientation, angular velocity, linear acceleration', 'hardware_driver',
    ('inference', 'safety_filter', 'balance_monitor', 'monitor'))
LEFT_FOOT_WRENCH = Topic('/foot_wrenches/left', 'geometry_msgs/msg/WrenchStamped',
    'wrench of the ground on the left foot', 'hardware_driver', ('balance_monitor',))
RIGHT_FOOT_WRENCH = Topic('/foot_wrenches/right', 'geometry_msgs/msg/WrenchStamped',
    'wrench of the ground on the right foot', 'hardware_driver', ('balance_monitor',))
HARDWARE_STATUS = Topic('/hardware/status', 'vla_interfaces/msg/DriverStatus',
    'behaviour, rest, standing, rejections, faults', 'hardware_driver', ('supervisor',))
JOINT_REFERENCE = Topic('/hardware/joint_reference', 'sensor_msgs/msg/JointState',
    'reference that the servos track', 'hardware_driver', ('safety_filter',))
BATTERY = Topic('/battery_state', 'sensor_msgs/msg/BatteryState',
    'battery', 'hardware_driver', single_publisher=False)
ROBOT_DESCRIPTION = Topic('/robot_description', 'std_msgs/msg/String',
    'URDF', 'hardware_driver', qos='LATCHED', single_publisher=False)
WORLD_STATE = Topic('/sim/world_state', 'vla_interfaces/msg/WorldState',
    'state of the simulated world', 'hardware_driver', ('camera', 'monitor'),
    single_publisher=False)
SCENE = Topic('/sim/scene', 'std_msgs/msg/String',
    'scene of the simulated world, JSON', 'hardware_driver', ('camera',), qos='LATCHED',
    single_publisher=False)
PUSH = Topic('/sim/push', 'geometry_msgs/msg/WrenchStamped',
    'force on a link of the simulated robot', '', ('hardware_driver',), qos='COMMAND',
    single_publisher=False)
SIM_FAULT = Topic('/sim/fault', 'std_msgs/msg/String',
    'fault to inject, with `sim.faults` only', '', ('hardware_driver',), qos='COMMAND',
    single_publisher=False)
BALANCE_STATE = Topic('/balance/state', 'vla_interfaces/msg/BalanceState',
    'centre of mass, capture point, margin, level', 'balance_monitor',
    ('supervisor', 'safety_filter'))
BALANCE_MARKERS = Topic('/balance/markers', 'visualization_msgs/msg/MarkerArray',
    'support polygon, centre of mass and capture point for rviz', 'balance_monitor',
    single_publisher=False)
COLOR_IMAGE = Topic('/camera/color/image_raw', 'sensor_msgs/msg/Image',
    'color image, rgb8', 'camera', ('inference',), qos='IMAGE', single_publisher=False)
CAMERA_INFO = Topic('/camera/color/camera_info', 'sensor_msgs/msg/CameraInfo',
    'calibration, after each image and with its stamp', 'camera', ('supervisor',))
DEPTH_IMAGE = Topic('/camera/depth/image_raw', 'sensor_msgs/msg/Image',
    'depth image, 32FC1 in m or 16UC1 in mm', 'camera', ('inference',), qos='IMAGE',
    single_publisher=False)
INFRA1_IMAGE = Topic('/camera/infra1/image_raw', 'sensor_msgs/msg/Image',
    'left infrared image, mono8, with the parameter infrared', 'camera', qos='IMAGE',
    single_publisher=False)
INFRA2_IMAGE = Topic('/camera/infra2/image_raw', 'sensor_msgs/msg/Image',
    'right infrared image, mono8', 'camera', qos='IMAGE', single_publisher=False)
CAMERA_IMU = Topic('/camera/imu', 'sensor_msgs/msg/Imu',
    'of the IMU in the camera, in the axes of the color image, with the parameter imu', 'camera',
    qos='EVENT', single_publisher=False)
SAFETY_STATUS = Topic('/safety/status', 'vla_interfaces/msg/SafetyStatus',
    'state, violations, speed scale, counters', 'safety_filter', ('supervisor', 'inference'))
TICK_LOG = Topic('/safety/tick_log', 'std_msgs/msg/UInt8MultiArray',
    'what each tick consumed, for replay; only while it is subscribed to', 'safety_filter',
    qos='EVENT', single_publisher=False)
DECISION_LOG = Topic('/supervisor/decision_log', 'std_msgs/msg/String',
    'what each decision was made from, JSON, for replay; only while it is subscribed to',
    'supervisor', qos='EVENT', single_publisher=False)
PROXIMITY = Topic('/proximity', 'sensor_msgs/msg/Range',
    'distance sensors', '', ('safety_filter',), single_publisher=False)
OBSTACLES = Topic('/safety/obstacles', 'vla_interfaces/msg/KnownObstacles',
    'solid objects around the robot, added, seen again or removed', '', ('safety_filter',),
    qos='EVENT', single_publisher=False)
CARRIED_OBJECTS = Topic('/safety/carried_objects', 'vla_interfaces/msg/CarriedObjects',
    'what the hands hold', '', ('safety_filter',), qos='LATCHED', single_publisher=False)
INSTRUCTION = Topic('/vla/instruction', 'std_msgs/msg/String',
    'instruction; empty ends the current one', '', ('inference',), qos='COMMAND',
    single_publisher=False)
INFERENCE_STATUS = Topic('/vla/inference_status', 'vla_interfaces/msg/InferenceStatus',
    'state, instruction, latencies, confidence', 'inference', ('supervisor',))
CHUNK_REPORT = Topic('/vla/chunk_report', 'vla_interfaces/msg/ChunkReport',
    'delay, starvation, border and confidence of each chunk', 'inference', qos='EVENT',
    single_publisher=False)
DIAGNOSTICS = Topic('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray',
    'lifecycle state and status', 'all nodes', ('supervisor', 'monitor'), qos='EVENT',
    single_publisher=False)
TF = Topic('/tf', 'tf2_msgs/msg/TFMessage',
    'pose of the base in the world and of each moving link in its parent', 'monitor',
    qos='EVENT', single_publisher=False)
TF_STATIC = Topic('/tf_static', 'tf2_msgs/msg/TFMessage',
    'poses of links that do not move in their parents, cameras among them', 'monitor',
    qos='LATCHED', single_publisher=False)
MONITOR_MARKERS = Topic('/monitor/markers', 'visualization_msgs/msg/MarkerArray',
    'workspace of the hands and the nearest pair of links for rviz', 'monitor',
    single_publisher=False)
DIAGNOSTICS_AGG = Topic('/diagnostics_agg', 'diagnostic_msgs/msg/DiagnosticArray',
    'diagnostics by group, each second', 'monitor', qos='STATE', single_publisher=False)
DIAGNOSTICS_TOPLEVEL = Topic('/diagnostics_toplevel_state', 'diagnostic_msgs/msg/DiagnosticStatus',
    'worst level of all groups', 'monitor', qos='STATE', single_publisher=False)
# fmt: on

TOPICS: tuple[Topic, ...] = tuple(value for value in globals().values() if isinstance(value, Topic))
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}

HEARTBEAT_TOPIC: dict[str, str] = {
    topic.publisher: topic.name
    for topic in (HARDWARE_STATUS, BALANCE_STATE, CAMERA_INFO, SAFETY_STATUS, INFERENCE_STATUS)
}
"""The supervised nodes in bring-up order, each with the topic of its heartbeat."""

SINGLE_PUBLISHER: tuple[str, ...] = tuple(t.name for t in TOPICS if t.single_publisher)


def inputs_table(node: str) -> str:
    """Markdown table of the topics that `node` subscribes to, for its README."""
    return _table([t for t in TOPICS if node in t.subscribers])


def outputs_table(node: str) -> str:
    """Markdown table of the topics that `node` publishes, for its README."""
    return _table([t for t in TOPICS if t.publisher in (node, 'all nodes')])


def _table(topics: list[Topic]) -> str:
    rows = ['| topic | type | QoS | content |', '|---|---|---|---|']
    for t in topics:
        beat = '; heartbeat' * (t.name in HEARTBEAT_TOPIC.values())
        rows.append(f'| `{t.name}` | `{t.type}` | {t.qos} | {t.content}{beat} |')
    return '\n'.join(rows)
