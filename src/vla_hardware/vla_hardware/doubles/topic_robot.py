# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot behind topics as a node of its own: joint states, and a forward command controller.

A process: `python -m vla_hardware.doubles.topic_robot`. The first line of standard input is its
configuration, each further one a command; it answers each with a line. JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from vla_common import qos

PERIOD = 0.005  # s
LAG = 0.02  # s
EXTRA = 'finger'  # a joint that the directory does not have, as a gripper's mimic joint


class TopicRobot(Node):
    """names: the controller's order. start: rad, in it. Positions follow with a lag of `LAG`."""

    def __init__(self, names: list[str], start: list[float], context: rclpy.Context) -> None:
        super().__init__('forward_position_controller', context=context)
        self.declare_parameter('joints', names)
        self.names = names
        self.q = np.array(start)
        self.target: np.ndarray | None = None
        self.received = 0
        self.frozen = self.pulled = False
        self._last = JointState()
        self._other: Any = None
        self._plug()
        self.create_timer(PERIOD, self._tick)

    def _plug(self) -> None:
        self._states = self.create_publisher(JointState, '/robot/joint_states', qos.STATE)
        self._start_controller()

    def _start_controller(self) -> None:
        self._commands = self.create_subscription(
            Float64MultiArray, '~/commands', self._on_command, qos.COMMAND
        )

    def _on_command(self, message: Float64MultiArray) -> None:
        if self.pulled or len(message.data) != len(self.q):
            return
        self.target = np.array(message.data)
        self.received += 1

    def _tick(self) -> None:
        if self.target is not None:
            self.q += (self.target - self.q) * (PERIOD / LAG)
        if self.pulled:
            return
        if not self.frozen:
            # In another order than the controller's, as joint_state_broadcaster may have it.
            self._last = JointState(
                name=[*self.names[::-1], EXTRA], position=[*self.q[::-1].tolist(), 0.0]
            )
            self._last.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(self._last)

    def do(self, what: str) -> dict[str, Any]:
        """Carry out a command, return the state."""
        match what:
            case 'pull' | 'plug':
                self.pulled = what == 'pull'
            case 'freeze' | 'thaw':
                self.frozen = what == 'freeze'
            case 'controller stopped':
                self.destroy_subscription(self._commands)
                self.target = None
            case 'two publishers':
                self._other = self.create_publisher(Float64MultiArray, '~/commands', qos.COMMAND)
            case 'end':
                if self._other is not None:
                    self.destroy_publisher(self._other)
                    self._other = None
                else:
                    self._start_controller()
        return {
            'position': self.q.tolist(),
            'stiff': self.target is not None,
            'commands': self.received,
        }


def main() -> None:
    given = json.loads(sys.stdin.readline())
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=given['domain_id'])
    robot = TopicRobot(given['names'], given['start'], context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(robot)

    def serve() -> None:
        for line in sys.stdin:
            # In the thread that spins the node: see vla_common.executor_thread.
            task = executor.create_task(robot.do, json.loads(line))
            task.add_done_callback(lambda done: print(json.dumps(done.result()), flush=True))
        context.try_shutdown()

    threading.Thread(target=serve, daemon=True).start()
    print(json.dumps(robot.do('')), flush=True)
    with contextlib.suppress(ExternalShutdownException):  # the end of standard input
        while context.ok():
            executor.spin_once(timeout_sec=0.1)


if __name__ == '__main__':
    main()
