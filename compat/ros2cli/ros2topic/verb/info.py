# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic info`."""

import argparse

from ros2cli.arguments import add_node_arguments
from ros2cli.names import expanded, types_of
from ros2cli.node import DirectNode

from ros2topic.api import suggestion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('topic_name', help='name of the topic, such as /chatter')
    parser.add_argument(
        '-v', '--verbose', action='store_true', help='show nodes and QoS of every endpoint'
    )


def main(args: argparse.Namespace) -> str | None:
    with DirectNode(args) as node:
        name = expanded(node, args.topic_name)
        if not node.discover_until(lambda: types_of(node.get_topic_names_and_types(), name)):
            return f"Unknown topic '{name}'{suggestion(node, name)}"
        types = types_of(node.get_topic_names_and_types(), name)
        end = '\n\n' if args.verbose else '\n'
        print(f'Type: {types[0] if len(types) == 1 else types}', end=end)
        print(f'Publisher count: {node.count_publishers(name)}', end=end)
        if args.verbose:
            for info in node.get_publishers_info_by_topic(name):
                print(info, end=end)
        print(f'Subscription count: {node.count_subscribers(name)}', end=end)
        if args.verbose:
            for info in node.get_subscriptions_info_by_topic(name):
                print(info, end=end)
    return None
