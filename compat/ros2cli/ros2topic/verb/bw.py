# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic bw`."""

from __future__ import annotations

import argparse
import time
from collections import deque

from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data
from ros2cli.arguments import add_node_arguments, positive_int
from ros2cli.names import expanded
from ros2cli.node import DirectNode

from ros2topic.api import get_msg_class

DEFAULT_WINDOW_SIZE = 100


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
    received: deque[tuple[float, int]] = deque(maxlen=args.window)

    def report() -> None:
        if len(received) < 2:
            return
        sizes = [size for _, size in received]
        values = (
            sum(sizes) / (time.monotonic() - received[0][0]),
            sum(sizes) / len(sizes),
            min(sizes),
            max(sizes),
        )
        rate, mean, least, most = _in_one_unit(values)
        print(
            f'{rate}/s from {len(sizes)} messages\n\tMessage size mean: {mean} min: {least} '
            f'max: {most}'
        )

    with DirectNode(args) as node:
        name = expanded(node, args.topic)
        message_type = get_msg_class(node, name, blocking=True)
        if message_type is None:
            return
        node.create_subscription(
            message_type,
            name,
            lambda data: received.append((time.monotonic(), len(data))),
            qos_profile_sensor_data,
            raw=True,
        )
        print(f'Subscribed to [{args.topic}]')
        node.create_timer(1.0, report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        node.spin()


def _in_one_unit(values: tuple[float, ...]) -> list[str]:
    """The first value chooses the unit of all."""
    if values[0] < 1e3:
        return [f'{value:.0f} B' for value in values]
    if values[0] < 1e6:
        return [f'{value / 1e3:.2f} KB' for value in values]
    return [f'{value / 1e6:.2f} MB' for value in values]
