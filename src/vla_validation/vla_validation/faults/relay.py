# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The man in the middle: a process through which every topic of the control path goes.

`python -m vla_validation.faults.relay ROBOT`. In faults.launch.py each publisher publishes under
`/drill/raw`; this passes it on under the name that everybody listens to, untouched or not.
`/drill/tamper` says what to do: JSON `{"topic": ..., "how": ...}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_common import qos
from vla_common.clock import steady_now
from vla_common.scheduling import Priority, request_realtime
from vla_robot import load_robot
from vla_validation.faults.corrupted_messages import LIES, Lie, drift
from vla_validation.faults.message_faults import HOWS, MessageFaults
from vla_validation.faults.topics import BY_NAME, TOPICS, Topic


class Relay(Node):
    """See the module."""

    def __init__(self, robot: str) -> None:
        super().__init__('drill_relay', start_parameter_services=False)
        self._robot = load_robot(robot)
        self._tampering = {topic.name: MessageFaults() for topic in TOPICS}
        self._out = {
            topic.name: self.create_publisher(topic.kind, topic.name, topic.profile)
            for topic in TOPICS
        }
        self._joints: bytes | None = None
        for topic in TOPICS:
            listener = qos.IMAGE if topic.profile is qos.IMAGE else qos.EVENT
            self.create_subscription(topic.kind, topic.raw, self._passes(topic), listener, raw=True)
        self.create_subscription(String, '/drill/tamper', self._on_order, qos.EVENT)
        self.create_timer(0.005, self._late)

    def _passes(self, topic: Topic) -> Callable[[bytes], None]:
        name, out = topic.name, self._out[topic.name]

        def pass_on(message: bytes) -> None:
            if name == '/joint_states':
                self._joints = message
            for told in self._tampering[name].take(steady_now(), message):
                out.publish(told)

        return pass_on

    def _late(self) -> None:
        now = steady_now()
        for name, tampering in self._tampering.items():
            for told in tampering.due(now):
                self._out[name].publish(told)

    def _on_order(self, message: String) -> None:
        order = json.loads(message.data)
        topic, how = BY_NAME[order['topic']], order['how']
        if how in HOWS:
            self._tampering[topic.name] = MessageFaults(how)
        else:
            self._tampering[topic.name] = MessageFaults(how, self._liar(topic, how))

    def _liar(self, topic: Topic, how: str) -> Callable[[bytes], bytes]:
        begin = steady_now()
        lie = self._lie(how)

        def told(serialised: bytes) -> bytes:
            message = deserialize_message(serialised, topic.kind)
            return serialize_message(lie(message, steady_now() - begin))

        return told

    def _lie(self, how: str) -> Lie:
        if not how.startswith('drift'):
            return LIES[how]()
        _, group, way = how.split(':')
        joints: Any = deserialize_message(self._joints, JointState)
        return drift(self._robot, group, way == 'up', np.array(joints.position))


def main() -> None:
    """Run until told to stop."""
    request_realtime(Priority.FILTER)
    rclpy.init()
    relay = Relay(sys.argv[1])
    executor = EventsExecutor()
    executor.add_node(relay)
    try:
        while rclpy.ok():
            executor.spin_until_future_complete(Future(), 1.0)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
