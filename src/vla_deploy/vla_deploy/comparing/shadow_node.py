# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ROS node of `Shadow`: subscriptions only."""

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, Imu, JointState
from trajectory_msgs.msg import JointTrajectory

from vla_common import qos
from vla_common.image_cdr import read_image
from vla_common.messages import duration_to_seconds, stamp_to_ns
from vla_deploy.comparing.shadow import ActiveStatus, Shadow
from vla_interfaces.msg import InferenceStatus
from vla_policy.types import ActionChunk

CAMERA_TOPIC = '/camera/color/image_raw'


class ShadowNode(Node):
    """topics: image topic by camera."""

    def __init__(self, shadow: Shadow, topics: dict[str, str], **options) -> None:
        super().__init__('shadow', start_parameter_services=False, **options)
        self._shadow = shadow
        for camera, topic in topics.items():
            self.create_subscription(
                Image, topic, lambda raw, c=camera: self._on_image(c, raw), qos.IMAGE, raw=True
            )
        self.create_subscription(JointState, '/joint_states', self._on_joints, qos.STATE_SUB)
        self.create_subscription(Imu, '/imu/data', self._on_imu, qos.STATE_SUB)
        self.create_subscription(
            InferenceStatus, '/vla/inference_status', self._on_status, qos.STATE_SUB
        )
        # Best effort: a slow candidate must not block the active policy.
        self.create_subscription(
            JointTrajectory, '/vla/action_chunk', self._on_chunk, qos.STATE_SUB
        )

    def _on_image(self, camera: str, raw: bytes) -> None:
        try:
            image = read_image(raw)
        except ValueError:
            return
        if image.encoding not in ('rgb8', 'bgr8') or image.step * image.height != len(
            image.content
        ):
            return
        rows = np.frombuffer(image.content, np.uint8).reshape(image.height, image.step)
        rgb = rows[:, : 3 * image.width].reshape(image.height, image.width, 3)
        if image.encoding == 'bgr8':
            rgb = rgb[:, :, ::-1]
        self._shadow.image(camera, image.stamp_ns, rgb)

    def _on_joints(self, m: JointState) -> None:
        self._shadow.joints(stamp_to_ns(m.header.stamp), m.name, m.position, m.velocity)

    def _on_imu(self, m: Imu) -> None:
        q = m.orientation
        self._shadow.imu(stamp_to_ns(m.header.stamp), (q.w, q.x, q.y, q.z))

    def _on_status(self, m: InferenceStatus) -> None:
        stamp = stamp_to_ns(m.header.stamp)
        self._shadow.status(ActiveStatus(m.instruction, m.elapsed, stamp))

    def _on_chunk(self, m: JointTrajectory) -> None:
        if not m.points:
            return
        times = np.array([duration_to_seconds(p.time_from_start) for p in m.points])
        positions = np.array([p.positions for p in m.points])
        chunk = ActionChunk(tuple(m.joint_names), positions, times)
        self._shadow.chunk(stamp_to_ns(m.header.stamp), chunk)
