# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes that lie. Each takes the place of a real one and beats well: only what it says is bad."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Duration
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common import qos
from vla_common.clock import first_sequence
from vla_common.states import Mode
from vla_interfaces.msg import InferenceStatus, SupervisorState

ARM = ['left_shoulder_pitch', 'left_elbow']
HORIZON = 16
STEP = 0.1


class LyingInference(LifecycleNode):
    """An inference node whose chunks are what `lie` says: good, nan, short, unknown, none, jump.

    It raises the left forearm slowly while it is good. Its status beats all the time.
    """

    def __init__(self, **options) -> None:
        super().__init__('inference', **options)
        self.lie = 'good'
        self.sent = 0
        self._id = 0
        self._mode = Mode.INACTIVE
        self._sequence = first_sequence()
        self._position: dict[str, float] = {}
        self._begin: float | None = None

    def on_configure(self, state) -> TransitionCallbackReturn:
        self._chunks = self.create_publisher(JointTrajectory, '/vla/action_chunk', qos.COMMAND)
        self._status = self.create_publisher(InferenceStatus, '/vla/inference_status', qos.STATE)
        self._start = self.create_client(Trigger, '/supervisor/start')
        self.create_subscription(JointState, '/joint_states', self._on_joints, qos.STATE_SUB)
        self.create_subscription(
            SupervisorState, '/supervisor/state', self._on_state, qos.STATE_SUB
        )
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state) -> TransitionCallbackReturn:
        self._timer = self.create_timer(0.08, self._tick)
        return super().on_activate(state)

    def ask_to_start(self) -> None:
        """Begin a motion from where the arm is now."""
        self._id += 1
        self._begin = None
        self._start.call_async(Trigger.Request())

    def _on_state(self, message: SupervisorState) -> None:
        self._mode = Mode(message.mode)

    def _on_joints(self, message: JointState) -> None:
        self._position = dict(zip(message.name, message.position, strict=True))

    def _tick(self) -> None:
        self._sequence += 1
        status = InferenceStatus()
        status.header.stamp = self.get_clock().now().to_msg()
        status.sequence = self._sequence
        status.policy = 'lying double'
        status.instruction_id = self._id
        status.state = InferenceStatus.ACTIVE if self._id else InferenceStatus.IDLE
        status.confidence = 1.0
        self._status.publish(status)
        if self._mode == Mode.RUNNING and self._position and self.lie != 'none':
            self._chunks.publish(self._chunk())
            self.sent += 1

    def _chunk(self) -> JointTrajectory:
        now = self.get_clock().now()
        seconds = now.nanoseconds * 1e-9
        if self._begin is None:
            self._begin = seconds
            self._from = [self._position[joint] for joint in ARM]
        chunk = JointTrajectory(joint_names=list(ARM))
        chunk.header.stamp = now.to_msg()
        for i in range(1, HORIZON + 1):
            t = seconds - self._begin + i * STEP
            # The forearm swings within 0.4 rad of where it was, at most 0.5 rad/s.
            swing = 0.2 * (1.0 - math.cos(2.5 * t))
            point = JointTrajectoryPoint(positions=[self._from[0], self._from[1] - swing])
            nanoseconds = round(i * STEP * 1e9)
            point.time_from_start = Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
            chunk.points.append(point)
        if self.lie == 'nan':
            chunk.points[3].positions[1] = math.nan
        elif self.lie == 'short':
            chunk.points[5].positions = chunk.points[5].positions[:1]
        elif self.lie == 'unknown':
            chunk.joint_names[1] = 'left_antenna'
        elif self.lie == 'jump':
            for point in chunk.points:
                point.positions[1] = self._from[1] - 3.0
        return chunk


class FrozenCamera(LifecycleNode):
    """A camera that shows one picture for ever, with stamps that advance."""

    def __init__(self, **options) -> None:
        super().__init__('camera', **options)

    def on_configure(self, state) -> TransitionCallbackReturn:
        self._images = self.create_publisher(Image, '/camera/color/image_raw', qos.IMAGE)
        self._infos = self.create_publisher(CameraInfo, '/camera/color/camera_info', qos.IMAGE)
        self._image = Image(height=240, width=320, encoding='rgb8', step=960)
        self._image.data = bytes(range(256)) * 900
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state) -> TransitionCallbackReturn:
        self._timer = self.create_timer(1 / 15, self._tick)
        return super().on_activate(state)

    def _tick(self) -> None:
        self._image.header.stamp = self.get_clock().now().to_msg()
        self._images.publish(self._image)
        self._infos.publish(CameraInfo(header=self._image.header, height=240, width=320))
