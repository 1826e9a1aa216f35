# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 node`."""

from __future__ import annotations

import argparse
import sys

from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from ros2cli.command import NODE, VerbCommand, arg, flag, suggest
from ros2cli.node import DirectNode, absolute_name, split_name, visible


class NodeCommand(VerbCommand):
    """Various node related sub-commands."""


@NodeCommand.verb(
    *NODE,
    flag('-a', '--all', help='display hidden nodes too'),
    flag('-c', '--count-nodes', help='show only the number'),
)
def list_(args: argparse.Namespace) -> None:
    """Output a list of available nodes."""
    with DirectNode(args) as node:
        node.discover()
        names = node.node_names(args.all)
    if args.count_nodes:
        print(len(names))
        return
    if len(set(names)) < len(names):
        print(
            'WARNING: Be aware that there are nodes in the graph that share an exact name, '
            'which can have unintended side effects.',
            file=sys.stderr,
        )
    for name in names:
        print(name)


@NodeCommand.verb(
    *NODE,
    arg('node_name', help='name of the node'),
    flag('--include-hidden', help='display hidden names as well'),
)
def info(args: argparse.Namespace) -> str | None:
    """Output information about a node."""
    name = absolute_name(args.node_name)
    with DirectNode(args) as node:
        if not node.discover_until(lambda: name in node.node_names(args.include_hidden)):
            return f"Unable to find node '{args.node_name}'{suggest(name, node.node_names())}"
        count = node.node_names(args.include_hidden).count(name)
        if count > 1:
            print(
                f'There are {count} nodes in the graph with the exact name "{name}". '
                'You are seeing information about only one of them.',
                file=sys.stderr,
            )
        print(name)
        ask_servers, ask_clients = (
            get_action_server_names_and_types_by_node,
            get_action_client_names_and_types_by_node,
        )
        for title, ask in (
            ('Subscribers', node.get_subscriber_names_and_types_by_node),
            ('Publishers', node.get_publisher_names_and_types_by_node),
            ('Service Servers', node.get_service_names_and_types_by_node),
            ('Service Clients', node.get_client_names_and_types_by_node),
            ('Action Servers', lambda *of: ask_servers(node.node, *of)),
            ('Action Clients', lambda *of: ask_clients(node.node, *of)),
        ):
            print(f'  {title}:')
            entries = visible(ask(*split_name(name)), args.include_hidden)
            print('\n'.join(f'    {entry}: {", ".join(types)}' for entry, types in entries))
    return None
