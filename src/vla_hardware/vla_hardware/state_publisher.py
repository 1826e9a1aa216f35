# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_hardware state_publisher`: /joint_states and /imu/data → /tf, for rviz.

Only where tf2_msgs is installed (the PyPI wheels of ROS do not have it). A user with ROS installed
may as well run robot_state_publisher; this one also turns the base by the IMU, so that a robot
that leans is seen to lean.
"""

import sys
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu, JointState

from vla_common import qos
from vla_common.messages import JointOrder, has_orientation
from vla_common.rotation import quaternion_xyzw, rotation_matrix
from vla_robot import RobotModel, load_robot

PERIOD = 1.0 / 30.0


class LinkPoses:
    """Poses of all links, as a tree one deep: base in the world, every link in the base."""

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self._kinematics = robot.kinematics()
        self._base = robot.frames['base']
        model = robot.pinocchio_model
        self.links = [
            frame.name
            for frame in model.frames
            if frame.type.name == 'BODY' and frame.name not in (self._base, 'universe')
        ]

    def of(self, position: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(link, R (3, 3), p (3,)) in the base's frame, for joint positions (n,) rad."""
        self._kinematics.update(position)
        return [(link, *self._kinematics.frame(link)) for link in self.links]

    def base_height(self, position: np.ndarray, rotation: np.ndarray) -> float:
        """m from the lowest corner of a sole up to the base, turned by `rotation` (3, 3)."""
        lowest = 0.0
        self._kinematics.update(position, None, rotation)
        for foot, box in self._robot.foot_boxes.items():
            R, p = self._kinematics.frame(foot)
            lowest = min(lowest, float((p + box.corners @ R.T)[:, 2].min()))
        return -lowest


class StatePublisher(Node):
    """Publishes /tf at 30 Hz from the newest joint state and orientation."""

    def __init__(self, tf_message: type) -> None:
        super().__init__('state_publisher')
        robot = load_robot(self.declare_parameter('robot', 'humanoid32').value)
        self._base = robot.frames['base']
        self._poses = LinkPoses(robot)
        self._order = JointOrder(robot.joint_names)
        self._position: np.ndarray | None = None
        self._rotation = np.eye(3)
        self._tf_message = tf_message
        self._out = self.create_publisher(tf_message, '/tf', QoSProfile(depth=100))
        self.create_subscription(JointState, '/joint_states', self._on_joints, qos.STATE_SUB)
        self.create_subscription(Imu, '/imu/data', self._on_imu, qos.STATE_SUB)
        self.create_timer(PERIOD, self._publish)

    def _on_joints(self, message: JointState) -> None:
        position = np.zeros(len(self._order.names))
        try:
            self._order.read(message.name, message.position, position)
        except (KeyError, ValueError) as error:
            self.get_logger().warning(f'/joint_states: {error}', throttle_duration_sec=5.0)
            return
        self._position, self._stamp = position, message.header.stamp

    def _on_imu(self, message: Imu) -> None:
        if not has_orientation(message.orientation_covariance):
            return
        q = message.orientation
        self._rotation = rotation_matrix(np.array([q.w, q.x, q.y, q.z]))

    def _publish(self) -> None:
        if self._position is None:
            return
        height = self._poses.base_height(self._position, self._rotation)
        transforms = [
            self._transform('world', self._base, self._rotation, np.array([0.0, 0.0, height]))
        ]
        transforms += [
            self._transform(self._base, link, R, p) for link, R, p in self._poses.of(self._position)
        ]
        self._out.publish(self._tf_message(transforms=transforms))

    def _transform(self, parent: str, child: str, R: np.ndarray, p: np.ndarray) -> Any:
        result = TransformStamped(child_frame_id=child)
        result.header.frame_id = parent
        result.header.stamp = self._stamp
        t, q = result.transform.translation, result.transform.rotation
        t.x, t.y, t.z = p.tolist()
        q.x, q.y, q.z, q.w = quaternion_xyzw(R)
        return result


def main() -> int:
    if {'-h', '--help'} & set(sys.argv[1:]):
        print(__doc__)
        return 0
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        print(
            'state_publisher: tf2_msgs is not installed here, so there is no /tf', file=sys.stderr
        )
        return 1
    rclpy.init()
    node = StatePublisher(TFMessage)
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
