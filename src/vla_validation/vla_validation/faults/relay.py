# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The relay: a process through which the topics of the control path pass.

`python -m vla_validation.faults.relay ROBOT TOPIC ...`. With faults.launch.py each publisher
publishes under `/fault_injection/raw`; the relay publishes the messages under the topic's own name,
altered by the last order for the topic.
"""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.task import Future
from std_msgs.msg import String

from vla_common import qos, topics
from vla_common.clock import steady_now
from vla_common.scheduling import Priority, request_realtime
from vla_robot import load_robot
from vla_validation.faults.corrupted_messages import CORRUPTIONS, Corruption, drift
from vla_validation.faults.message_faults import HOWS, ORDER_TOPIC, RAW, MessageFaults


class Relay(Node):
    """See the module."""

    def __init__(self, robot: str, names: Sequence[str]) -> None:
        super().__init__('fault_injection_relay', start_parameter_services=False)
        self._robot = load_robot(robot)
        self._faults = {name: MessageFaults() for name in names}
        self._publishers_by_topic: dict[str, Any] = {}
        self._joints: bytes | None = None
        for topic in (topics.BY_NAME[name] for name in names):
            kind, profile = topic.message_type(), qos.publisher(topic)
            self._publishers_by_topic[topic.name] = self.create_publisher(kind, topic.name, profile)
            listener = qos.IMAGE if profile is qos.IMAGE else qos.EVENT
            self.create_subscription(
                kind, RAW + topic.name, self._relay(topic.name), listener, raw=True
            )
        if topics.ACTION_CHUNK.name in names:  # a drift starts where the joints are
            joints = topics.JOINT_STATES
            self.create_subscription(
                joints.message_type(), joints.name, self._on_joints, qos.EVENT, raw=True
            )
        self.create_subscription(String, ORDER_TOPIC, self._on_order, qos.EVENT)
        self.create_timer(0.005, self._publish_late)

    def _relay(self, name: str) -> Callable[[bytes], None]:
        publisher = self._publishers_by_topic[name]

        def relay(message: bytes) -> None:
            for altered in self._faults[name].take(steady_now(), message):
                publisher.publish(altered)

        return relay

    def _on_joints(self, message: bytes) -> None:
        self._joints = message

    def _publish_late(self) -> None:
        now = steady_now()
        for name, fault in self._faults.items():
            for message in fault.due(now):
                self._publishers_by_topic[name].publish(message)

    def _on_order(self, message: String) -> None:
        order = json.loads(message.data)
        topic, how = topics.BY_NAME[order['topic']], order['how']
        corrupt = None if how in HOWS else self._corrupt(topic, self._corruption(how))
        self._faults[topic.name] = MessageFaults(how, corrupt)

    def _corrupt(self, topic: topics.Topic, corruption: Corruption) -> Callable[[bytes], bytes]:
        begin, kind = steady_now(), topic.message_type()

        def corrupt(serialised: bytes) -> bytes:
            message = deserialize_message(serialised, kind)
            return serialize_message(corruption(message, steady_now() - begin))

        return corrupt

    def _corruption(self, how: str) -> Corruption:
        if not how.startswith('drift'):
            return CORRUPTIONS[how]()
        _, group, way = how.split(':')
        joints: Any = deserialize_message(self._joints, topics.JOINT_STATES.message_type())
        return drift(self._robot, group, way == 'up', np.array(joints.position))


def main() -> None:
    """Relay until SIGINT or SIGTERM."""
    request_realtime(Priority.FILTER)
    rclpy.init()
    relay = Relay(sys.argv[1], sys.argv[2:])
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
