# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic delay`."""

from __future__ import annotations

import argparse
import math
from collections import deque

from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from ros2cli.arguments import add_node_arguments, positive_int
from ros2cli.names import expanded
from ros2cli.node import DirectNode

from ros2topic.api import get_msg_class

DEFAULT_WINDOW_SIZE = 10000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('topic', help='name of the topic')
    parser.add_argument(
        '-w',
        '--window',
        type=positive_int,
        default=DEFAULT_WINDOW_SIZE,
        help=f'messages to average over (default: {DEFAULT_WINDOW_SIZE})',
    )
    add_node_arguments(parser)


def main(args: argparse.Namespace) -> None:
    delays: deque[float] = deque(maxlen=args.window)
    fresh = False

    with DirectNode(args) as node:
        name = expanded(node, args.topic)
        message_type = get_msg_class(node, name, blocking=True)
        if message_type is None:
            return
        if 'header' not in message_type.get_fields_and_field_types():
            raise RuntimeError('msg does not have header')

        def note(message: object) -> None:
            nonlocal fresh
            stamp = Time.from_msg(message.header.stamp)
            delays.append((node.get_clock().now() - stamp).nanoseconds * 1e-9)
            fresh = True

        def report() -> None:
            nonlocal fresh
            if not delays:
                return
            if not fresh:
                print('no new messages')
                return
            fresh = False
            count = len(delays)
            mean = sum(delays) / count
            deviation = math.sqrt(sum((value - mean) ** 2 for value in delays) / count)
            print(
                f'average delay: {mean:.3f}\n\tmin: {min(delays):.3f}s max: {max(delays):.3f}s '
                f'std dev: {deviation:.5f}s window: {count}'
            )

        node.create_subscription(message_type, name, note, qos_profile_sensor_data)
        node.create_timer(1.0, report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        node.spin()
