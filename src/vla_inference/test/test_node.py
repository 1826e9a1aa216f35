# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node, with the robot, the camera and the supervisor played by a probe."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from bundles import write_bundle
from lifecycle_msgs.msg import Transition
from rclpy.action import ActionClient
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from vla_interfaces.action import RunInstruction
from vla_interfaces.msg import InferenceStatus, SupervisorState

from vla_common import qos
from vla_common.messages import stamp_to_ns
from vla_common.testing import wait_until
from vla_inference.doubles import FaultyPolicy
from vla_inference.node import InferenceNode
from vla_inference.policy import load_policy

SCRIPTED = str(Path(__file__).parents[3] / 'models' / 'scripted')
S = SupervisorState


class World:
    """Publishes what the camera, the driver and the supervisor would, 50 times a second."""

    def __init__(self, ros, robot) -> None:
        self.probe = ros.probe()
        self.robot = robot
        self.mode = S.INACTIVE
        self.epoch = 0
        self.grant = True
        self.starts = 0
        self.frozen = False
        self.joints_on = True
        node = self.probe.node
        self._image = self.probe.publisher(Image, '/camera/color/image_raw', qos.IMAGE)
        self._joints = self.probe.publisher(JointState, '/joint_states', qos.STATE)
        self._imu = self.probe.publisher(Imu, '/imu/data', qos.STATE)
        self._state = self.probe.publisher(SupervisorState, '/supervisor/state', qos.STATE)
        self.instruction = self.probe.publisher(String, '/vla/instruction', qos.COMMAND)
        self.chunks = self.probe.subscribe(JointTrajectory, '/vla/action_chunk', qos.COMMAND)
        self.status = self.probe.subscribe(InferenceStatus, '/vla/inference_status', qos.STATE)
        node.create_service(Trigger, '/supervisor/start', self._start)
        self._tick = 0
        node.create_timer(0.02, self._publish)
        self.running_since_ns = 0

    def _start(self, request, response):
        self.starts += 1
        response.success = self.grant
        response.message = '' if self.grant else 'camera_frozen'
        if self.grant:
            self.mode = S.RUNNING
        return response

    def _publish(self) -> None:
        self._tick += 1
        stamp = self.probe.node.get_clock().now().to_msg()
        pixels = np.full((48, 64, 3), 100, np.uint8)
        if not self.frozen:
            pixels[0, 0, 0] = self._tick % 200
        image = Image(height=48, width=64, step=192, encoding='rgb8', data=pixels.tobytes())
        joints = JointState(
            name=list(self.robot.joint_names),
            position=self.robot.poses['standing'].tolist(),
            velocity=[0.0] * self.robot.n,
        )
        imu = Imu()
        imu.orientation.w = 1.0
        state = SupervisorState(mode=self.mode, motion_epoch=self.epoch, sequence=self._tick)
        for message in (image, joints, imu, state):
            message.header.stamp = stamp
        if self.mode == S.RUNNING and not self.running_since_ns:
            self.running_since_ns = stamp_to_ns(stamp)
        self._image.publish(image)
        self._imu.publish(imu)
        if self.joints_on:
            self._joints.publish(joints)
        self._state.publish(state)

    def say(self, text: str) -> None:
        self.probe.wait_for_subscriber(self.instruction)
        self.instruction.publish(String(data=text))

    def status_where(self, condition, timeout=10.0):
        """The first status from now on."""
        self.status.clear()
        return self.status.wait_for(condition, timeout)


@pytest.fixture
def world(ros, robot):
    return World(ros, robot)


@pytest.fixture
def bring_up(ros):
    def make(faulty=None, **parameters):
        policies = []

        class Node(InferenceNode):
            def __init__(self, **options):
                def make_policy(*arguments, **keywords):
                    policy = load_policy(*arguments, **keywords)
                    if faulty is not None:
                        policy = FaultyPolicy(policy)
                        policies.append(policy)
                    return policy

                super().__init__(make_policy=make_policy, **options)

        node = ros.node(Node, **{'policy': SCRIPTED, **parameters})
        ros.configure(node)
        ros.activate(node)
        node.policies = policies
        return node

    return make


def test_instruction_runs_from_start_to_done_and_is_told(world, bring_up):
    bring_up()
    world.status_where(lambda s: s.state == s.IDLE)
    assert not world.chunks.messages
    world.mode = S.READY
    world.say('wave with the left hand')
    status = world.status_where(lambda s: s.state == s.ACTIVE and s.chunks_published > 3)
    assert world.starts == 1
    assert status.instruction == 'wave with the left hand'
    assert status.phase == 'running'
    chunk = world.chunks.last
    assert list(chunk.joint_names)[:2] == ['left_shoulder_pitch', 'left_shoulder_roll']
    times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in chunk.points]
    np.testing.assert_allclose(times, 0.1 * np.arange(1, 17))
    stamps = [stamp_to_ns(c.header.stamp) for c in world.chunks.messages]
    assert stamps[0] >= world.running_since_ns
    world.say('')
    status = world.status_where(lambda s: s.instructions_finished == 1)
    assert status.state == status.IDLE
    assert status.last_result == 'cancelled'
