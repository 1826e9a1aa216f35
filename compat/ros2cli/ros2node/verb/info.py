# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 node info`."""

from __future__ import annotations

import argparse
import sys

from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from ros2cli.arguments import add_node_arguments
from ros2cli.names import visible
from ros2cli.node import DirectNode
from ros2cli.text import suggest

from ros2node.api import absolute_name, node_names, split_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('node_name', help='name of the node')
    parser.add_argument(
        '--include-hidden', action='store_true', help='display hidden names as well'
    )


def main(args: argparse.Namespace) -> str | None:
    name = absolute_name(args.node_name)
    with DirectNode(args) as node:
        if not node.discover_until(lambda: name in node_names(node, args.include_hidden)):
            known = node_names(node)
            return f"Unable to find node '{args.node_name}'{suggest(name, known)}"
        count = node_names(node, args.include_hidden).count(name)
        if count > 1:
            print(
                f'There are {count} nodes in the graph with the exact name "{name}". '
                'You are seeing information about only one of them.',
                file=sys.stderr,
            )
        own, namespace = split_name(name)
        print(name)
        sections = (
            ('Subscribers', node.get_subscriber_names_and_types_by_node),
            ('Publishers', node.get_publisher_names_and_types_by_node),
            ('Service Servers', node.get_service_names_and_types_by_node),
            ('Service Clients', node.get_client_names_and_types_by_node),
            (
                'Action Servers',
                lambda *of: get_action_server_names_and_types_by_node(node.node, *of),
            ),
            (
                'Action Clients',
                lambda *of: get_action_client_names_and_types_by_node(node.node, *of),
            ),
        )
        for title, ask in sections:
            print(f'  {title}:')
            entries = visible(ask(own, namespace), args.include_hidden)
            print('\n'.join(f'    {entry}: {", ".join(types)}' for entry, types in entries))
    return None
