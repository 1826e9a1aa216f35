# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The default launch, as in the README: up, RUNNING, moving as instructed, on its feet."""

import time
import unittest
from typing import Any

import launch_testing
import launch_testing.actions
import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.srv import GetState
from rclpy.action import ActionClient
from rclpy.task import Future
from whole_robot import BRING_UP, supervisor_stalls

from launch import LaunchDescription
from vla_common import qos, topics
from vla_common.states import Mode
from vla_common.testing import RosSession, answer, own_domain, wait_until
from vla_interfaces.action import RunInstruction
from vla_robot import load_robot

own_domain()


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    launch_file = PathJoinSubstitution(
        [FindPackageShare('vla_bringup'), 'launch', 'humanoid.launch.py']
    )
    return LaunchDescription(
        [
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(launch_file),
                launch_arguments={
                    'instruction': 'wave with your left hand',
                    'time_limit': '30.0',  # the first three tests are to see it RUNNING
                    'respawn': 'false',
                }.items(),
            ),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class TestTheRobotComesUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.session = RosSession()
        cls.probe = cls.session.probe('bringup_probe')

        def collect(topic: topics.Topic) -> Any:
            kind, profile = topic.message_type(), qos.publisher(topic)
            return cls.probe.subscribe(kind, topic.name, profile)

        cls.supervisor = collect(topics.SUPERVISOR_STATE)
        cls.chunks = collect(topics.ACTION_CHUNK)
        cls.robot = load_robot('humanoid32')

    @classmethod
    def tearDownClass(cls) -> None:
        causes = [cause for state in cls.supervisor.messages for cause in state.causes]
        for cause in causes:
            if cause.name == 'supervisor_stalled':
                supervisor_stalls.append((time.monotonic(), cause.detail))
        cls.session.close()

    def subscribed(self, topic: topics.Topic) -> Any:
        """Only while it is looked at: on two cores the robot needs the rest."""
        return self.probe.subscribed(topic.message_type(), topic.name, qos.publisher(topic))

    def wait_mode(self, mode: Mode, timeout: float) -> None:
        wait_until(
            lambda: bool(self.supervisor.messages) and self.supervisor.last.mode == mode,
            timeout,
            f'mode {mode.name}',
        )

    def test_1_it_reaches_running_with_every_node_active(self) -> None:
        self.wait_mode(Mode.RUNNING, BRING_UP)
        self.assertEqual(len(self.supervisor.last.nodes_active), 5)
        self.assertEqual(list(self.supervisor.last.nodes_missing), [])
        for node in [*self.supervisor.last.nodes_active, 'supervisor']:
            state = self.probe.call(GetState, f'/{node}/get_state')
            self.assertEqual(state.current_state.label, 'active', node)

    def test_2_the_waving_arm_waves_and_the_limits_hold(self) -> None:
        self.wait_mode(Mode.RUNNING, BRING_UP)
        arm = ('shoulder_pitch', 'shoulder_roll', 'shoulder_yaw', 'elbow', 'wrist_yaw')
        with self.subscribed(topics.JOINT_STATES) as joints:
            joints.wait(1)
            names = list(joints.last.name)
            self.assertEqual(names, list(self.robot.joint_names))
            columns = [names.index(f'left_{joint}') for joint in arm]

            def travel() -> float:
                positions = np.array([message.position for message in tuple(joints.messages)])
                return float(np.ptp(positions[:, columns], axis=0).max())

            wait_until(lambda: travel() > 0.2, 5.0, 'the left arm to wave')
        with self.subscribed(topics.JOINT_COMMAND) as commands:
            commands.wait(500)
        limits = self.robot.limits
        for message in commands.messages:
            for i, name in enumerate(message.name):
                self.assertLessEqual(message.position[i], limits.upper[i] + 1e-9, name)
                self.assertGreaterEqual(message.position[i], limits.lower[i] - 1e-9, name)
                self.assertLessEqual(abs(message.velocity[i]), limits.velocity[i] + 1e-9, name)

    def test_3_images_and_chunks_flow_and_chunks_name_the_robots_joints(self) -> None:
        with (
            self.subscribed(topics.COLOR_IMAGE) as images,
            self.subscribed(topics.CAMERA_INFO) as infos,
        ):
            images.wait(3)
            infos.wait(3)
        self.chunks.wait(3)
        image = images.last
        self.assertEqual(image.encoding, 'rgb8')
        self.assertEqual(len(image.data), image.height * image.step)
        self.assertGreater(len(set(bytes(image.data[::97]))), 10, 'a blank image')
        for chunk in self.chunks.messages:
            self.assertLessEqual(set(chunk.joint_names), set(self.robot.joint_names))

    def test_4_it_still_stands_and_ends_the_instruction_in_ready(self) -> None:
        self.wait_mode(Mode.READY, 60.0)
        with (
            self.subscribed(topics.BALANCE_STATE) as balance,
            self.subscribed(topics.HARDWARE_STATUS) as driver,
        ):
            balance.wait(1)
            driver.wait(1)
        self.assertFalse(balance.last.fallen)
        self.assertLess(balance.last.tilt, 0.2)
        self.assertAlmostEqual(driver.last.real_time_factor, 1.0, delta=0.2)

    def test_5_an_instruction_by_action_runs_and_can_be_cancelled(self) -> None:
        self.wait_mode(Mode.READY, 60.0)
        client = ActionClient(self.probe.node, RunInstruction, '/vla/run_instruction')
        self.assertTrue(client.wait_for_server(10.0))
        feedback: list = []
        goal = RunInstruction.Goal(instruction='wave with your right hand', time_limit=60.0)

        def send() -> Future:
            return client.send_goal_async(goal, feedback_callback=feedback.append)

        handle = answer(self.probe.node, send, 'the goal answered', 10.0)
        self.assertTrue(handle.accepted)
        self.wait_mode(Mode.RUNNING, 20.0)
        wait_until(lambda: len(feedback) > 0, 10.0, 'feedback')
        answer(self.probe.node, handle.cancel_goal_async, 'the cancel answered', 10.0)
        result = answer(self.probe.node, handle.get_result_async, 'the result', 20.0)
        self.assertEqual(result.status, GoalStatus.STATUS_CANCELED)
        self.wait_mode(Mode.READY, 20.0)
        with self.subscribed(topics.HARDWARE_STATUS) as driver:
            driver.wait_for(lambda status: status.at_rest, 20.0)


@launch_testing.post_shutdown_test()
class TestTheShutdown(unittest.TestCase):
    def test_every_process_ended_well(self, proc_info) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)

    def test_the_driver_reported_rest(self, proc_output) -> None:
        launch_testing.asserts.assertInStdout(proc_output, 'at rest after', None)
