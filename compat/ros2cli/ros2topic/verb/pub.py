# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic pub`."""

from __future__ import annotations

import argparse
import time

from rclpy.clock import Clock, ClockType
from ros2cli.arguments import (
    add_node_arguments,
    add_values_argument,
    given_values,
    nonnegative_int,
    positive_float,
)
from ros2cli.messages import FieldError, get_interface, load_yaml, set_message_fields
from ros2cli.names import expanded, types_of
from ros2cli.node import DirectNode
from ros2cli.qos import add_qos_arguments, profile_from_arguments

_POLL_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('topic_name', help='name of the topic, such as /chatter')
    parser.add_argument('message_type', help='type, such as std_msgs/msg/String')
    add_values_argument(parser, 'values', "YAML, such as '{data: hello}' (default: {})")
    parser.add_argument(
        '-r', '--rate', metavar='N', type=positive_float, default=1.0, help='Hz (default: 1)'
    )
    parser.add_argument(
        '-p', '--print', metavar='N', type=int, default=1, help='print every N-th message only'
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument('-1', '--once', action='store_true', help='publish one message and exit')
    group.add_argument(
        '-t', '--times', type=nonnegative_int, default=0, help='publish so many times and exit'
    )
    parser.add_argument(
        '-w',
        '--wait-matching-subscriptions',
        type=nonnegative_int,
        default=None,
        help='wait for so many subscriptions (default: 1 with --once and --times, else 0)',
    )
    parser.add_argument(
        '--max-wait-time-secs', type=positive_float, help='give up waiting after this time'
    )
    parser.add_argument(
        '--keep-alive',
        metavar='N',
        type=positive_float,
        default=0.1,
        help='seconds that the node lives after the last message (default: 0.1)',
    )
    parser.add_argument('-n', '--node-name', help='name of the publishing node')
    add_qos_arguments(parser, 'publish', 'default')
    add_node_arguments(parser)


def main(args: argparse.Namespace) -> str | None:
    times = 1 if args.once else args.times
    wait_for = args.wait_matching_subscriptions
    if wait_for is None:
        wait_for = int(times != 0)
    if wait_for == 0 and args.max_wait_time_secs is not None:
        return (
            '--max-wait-time-secs option is only effective with --wait-matching-subscriptions, '
            '--once or --times'
        )
    message_type = get_interface('msg', args.message_type)
    values = load_yaml(given_values(args, 'values'))
    if not isinstance(values, dict):
        return 'The passed value needs to be a dictionary in YAML format'
    message = message_type()
    try:
        stamps = set_message_fields(message, values, expand_now=True)
    except FieldError as error:
        return f'Failed to populate field: {error}'
    with DirectNode(args, node_name=args.node_name) as node:
        publisher = node.create_publisher(
            message_type, expanded(node, args.topic_name), profile_from_arguments(args)
        )
        problem = _wait(node, publisher, wait_for, args.max_wait_time_secs)
        if problem is not None:
            return problem
        print('publisher: beginning loop')
        count = 0

        def publish() -> None:
            nonlocal count
            now = node.get_clock().now().to_msg()
            for set_stamp in stamps:
                set_stamp(now)
            count += 1
            if args.print and count % args.print == 0:
                print(f'publishing #{count}: {message!r}\n')
            publisher.publish(message)

        publish()
        if times != 1:
            timer = node.create_timer(
                1.0 / args.rate, publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
            while times == 0 or count < times:
                node.spin_once()
            node.destroy_timer(timer)
        # What was published last needs a moment to leave the process.
        node.sleep(args.keep_alive)
    return None


def _wait(node: DirectNode, publisher: object, count: int, at_most: float | None) -> str | None:
    begin = time.monotonic()
    next_note = begin
    while (matched := publisher.get_subscription_count()) < count:
        now = time.monotonic()
        if now >= next_note:
            next_note = now + 1.0
            print(f'Waiting for at least {count} matching subscription(s)...')
            _explain_mismatch(node, publisher)
        if at_most is not None and now - begin >= at_most:
            return (
                f'Timed out waiting for subscribers: Expected {count} subscribers but only got '
                f'{matched} subscribers'
            )
        time.sleep(_POLL_S)
    return None


def _explain_mismatch(node: DirectNode, publisher: object) -> None:
    """Say so if the topic exists under another type, for which it would wait for ever."""
    topic = publisher.topic_name
    for info in node.get_publishers_info_by_topic(topic):
        if info.node_name == node.get_name():
            ours = info.topic_type
            break
    else:
        return
    others = [name for name in types_of(node.get_topic_names_and_types(), topic) if name != ours]
    if others:
        print(f"Note: '{topic}' is in use with type {', '.join(others)}, not {ours}")
