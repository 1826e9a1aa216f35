# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic type`."""

import argparse
import sys

from ros2cli.arguments import add_node_arguments
from ros2cli.names import expanded, types_of
from ros2cli.node import DirectNode

from ros2topic.api import suggestion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('topic_name', help='name of the topic, such as /chatter')


def main(args: argparse.Namespace) -> int:
    with DirectNode(args) as node:
        name = expanded(node, args.topic_name)
        if not node.discover_until(lambda: types_of(node.get_topic_names_and_types(), name)):
            print(f"Unknown topic '{name}'{suggestion(node, name)}", file=sys.stderr)
            return 1
        print(*types_of(node.get_topic_names_and_types(), name), sep='\n')
    return 0
