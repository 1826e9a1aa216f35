# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic hz`."""

from __future__ import annotations

import argparse
import math
from collections import deque

from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data
from ros2cli.arguments import add_node_arguments, positive_int
from ros2cli.names import expanded
from ros2cli.node import DirectNode

from ros2topic.api import get_msg_class, message_filter

DEFAULT_WINDOW_SIZE = 10000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('topic_name', help='name of the topic, such as /chatter')
    parser.add_argument(
        '-w',
        '--window',
        dest='window_size',
        type=positive_int,
        default=DEFAULT_WINDOW_SIZE,
        metavar='WINDOW',
        help=f'messages to average over (default: {DEFAULT_WINDOW_SIZE})',
    )
    parser.add_argument(
        '--filter', dest='filter_expr', metavar='EXPR', help='count only messages m that match'
    )
    parser.add_argument(
        '--wall-time', dest='use_wtime', action='store_true', help='use wall time, not ROS time'
    )
    add_node_arguments(parser)


class Rate:
    """Intervals between messages and their statistics; times in nanoseconds."""

    def __init__(self, window_size: int) -> None:
        self._intervals: deque[int] = deque(maxlen=window_size)
        self._last: int | None = None

    def add(self, now: int) -> None:
        """Note a message; a clock that went back starts over."""
        if self._last is not None and now < self._last:
            self._intervals.clear()
        elif self._last is not None:
            self._intervals.append(now - self._last)
        self._last = now

    def text(self) -> str | None:
        """Return the statistics as the real command prints them, or None without two messages."""
        count = len(self._intervals)
        if not count:
            return None
        mean = sum(self._intervals) / count
        deviation = math.sqrt(sum((value - mean) ** 2 for value in self._intervals) / count)
        rate = 1e9 / mean if mean > 0.0 else 0.0
        return (
            f'average rate: {rate:.3f}\n\tmin: {min(self._intervals) * 1e-9:.3f}s '
            f'max: {max(self._intervals) * 1e-9:.3f}s std dev: {deviation * 1e-9:.5f}s '
            f'window: {count}'
        )


def main(args: argparse.Namespace) -> None:
    wanted = message_filter(args.filter_expr)
    rate = Rate(args.window_size)
    with DirectNode(args) as node:
        name = expanded(node, args.topic_name)
        message_type = get_msg_class(node, name, blocking=True)
        if message_type is None:
            return
        clock = Clock(clock_type=ClockType.SYSTEM_TIME) if args.use_wtime else node.get_clock()
        last_print: int | None = None

        def count(message: object) -> None:
            nonlocal last_print
            if wanted is not None and not wanted(message):
                return
            now = clock.now().nanoseconds
            if now == 0:
                # Simulation time that nobody publishes yet.
                return
            rate.add(now)
            if last_print is None or now < last_print:
                last_print = now
            if now - last_print >= 1_000_000_000:
                last_print = now
                text = rate.text()
                if text is not None:
                    print(text)

        # Raw unless the filter needs it: deserializing an image takes longer than counting it.
        node.create_subscription(
            message_type, name, count, qos_profile_sensor_data, raw=wanted is None
        )
        node.spin()
