# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process that publishes what the robot's nodes publish, at their rates and sizes.

`python -m vla_validation.recorder.source PART SECONDS`: waits for a subscriber of each topic,
prints `begun`, publishes, and prints how many messages of each topic it sent, as a JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState

from vla_common import qos, topics
from vla_common.messages import ns_to_stamp
from vla_common.topics import Topic
from vla_interfaces.msg import InferenceStatus, SafetyStatus, SupervisorState, WorldState

PATIENCE = 60.0
"""s until every topic has a subscriber."""
JOINTS = [f'left_shoulder_pitch_{i:02d}' for i in range(32)]
RATES: dict[str, dict[Topic, float]] = {
    'robot': {
        topics.JOINT_STATES: 200.0,
        topics.JOINT_COMMAND: 100.0,
        topics.JOINT_REFERENCE: 100.0,
        topics.IMU: 100.0,
        topics.LEFT_FOOT_WRENCH: 100.0,
        topics.RIGHT_FOOT_WRENCH: 100.0,
        topics.BALANCE_STATE: 100.0,
        topics.HARDWARE_STATUS: 50.0,
        topics.SAFETY_STATUS: 50.0,
        topics.SUPERVISOR_STATE: 50.0,
        topics.WORLD_STATE: 33.0,
        topics.INFERENCE_STATUS: 20.0,
        topics.BALANCE_MARKERS: 10.0,
    },
    'camera': {topics.COLOR_IMAGE: 15.0, topics.DEPTH_IMAGE: 15.0, topics.CAMERA_INFO: 15.0},
}
"""Hz in the default bring-up; `robot` by the transport of the control path, `camera` by that of
the images."""


def messages_of(topic: Topic) -> list[Any]:
    """Messages that are published in turn; images differ, as a sensor's noise has it."""
    zeros = [0.1] * len(JOINTS)
    rng = np.random.default_rng(0)
    if topic in (topics.JOINT_STATES, topics.JOINT_COMMAND, topics.JOINT_REFERENCE):
        return [JointState(name=JOINTS, position=zeros, velocity=zeros, effort=zeros)]
    if topic is topics.COLOR_IMAGE:
        made = []
        for _ in range(8):
            # Pictures of a room, not of noise: the encoder's work depends on what it sees.
            ramp = np.linspace(0, 200, 320, dtype=np.uint8)[None, :, None]
            frame = np.broadcast_to(ramp, (240, 320, 3)) + rng.integers(0, 8, (240, 320, 3))
            data = frame.astype(np.uint8).tobytes()
            made.append(Image(height=240, width=320, encoding='rgb8', step=960, data=data))
        return made
    if topic is topics.DEPTH_IMAGE:
        depth = rng.uniform(0.5, 3.0, (240, 320)).astype(np.float32).round(3)
        return [Image(height=240, width=320, encoding='32FC1', step=1280, data=depth.tobytes())]
    if topic is topics.CAMERA_INFO:
        return [CameraInfo(height=240, width=320, distortion_model='plumb_bob', d=[0.0] * 5)]
    if topic is topics.SAFETY_STATUS:
        names = [f'kind_{i:02d}' for i in range(24)]
        status = SafetyStatus(state=1, interpolation='minimum_jerk', counter_names=names)
        status.counter_values = [0] * len(names)
        return [status]
    if topic is topics.SUPERVISOR_STATE:
        nodes = ['hardware_driver', 'balance_monitor', 'camera', 'safety_filter', 'inference']
        return [SupervisorState(mode=2, behaviour=4, speed_scale=1.0, nodes_active=nodes)]
    if topic is topics.WORLD_STATE:
        return [WorldState(scene_digest='0' * 64, qpos=[0.0] * 64, qvel=[0.0] * 56)]
    if topic is topics.INFERENCE_STATUS:
        return [InferenceStatus(state=1, policy='humanoid_vla', instruction='reach for the cube')]
    return [topic.message_type()()]


def publish(node: Any, rates: dict[Topic, float], seconds: float) -> dict[str, int]:
    """Publish for `seconds` s; returns the number of messages by topic."""
    sources = []
    for topic, rate in rates.items():
        publisher = node.create_publisher(topic.message_type(), topic.name, qos.publisher(topic))
        contents = messages_of(topic)
        for message in contents:
            if hasattr(message, 'header'):
                message.header.stamp = ns_to_stamp(time.time_ns())
        sources.append([0.0, 1.0 / rate, publisher, [serialize_message(m) for m in contents], 0])
    until = time.monotonic() + PATIENCE
    while not all(source[2].get_subscription_count() for source in sources):
        if time.monotonic() > until:
            raise TimeoutError('a topic has no subscriber')
        time.sleep(0.05)
    time.sleep(1.0)  # a reader that is matched here may not know this writer yet
    print('begun', flush=True)
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        for source in sources:
            due, period, publisher, contents, sent = source
            if now >= due:
                publisher.publish(contents[sent % len(contents)])
                source[0], source[4] = due + period, sent + 1
        time.sleep(0.001)
    return {source[2].topic_name: source[4] for source in sources}


def main(arguments: list[str]) -> None:
    part, seconds = arguments
    rclpy.init()
    node = rclpy.create_node(f'source_{part}', start_parameter_services=False, enable_rosout=False)
    print(json.dumps(publish(node, RATES[part], float(seconds))), flush=True)
    time.sleep(1.0)  # what is on its way arrives
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main(sys.argv[1:])
