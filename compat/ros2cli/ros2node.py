# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 node`."""

import argparse
import sys
from functools import partial

from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from ros2cli.command import NODE, VerbCommand, arg, flag, suggest
from ros2cli.node import DirectNode, absolute_name, split_name, visible


class NodeCommand(VerbCommand):
    """Various node related sub-commands."""


@NodeCommand.verb(*NODE, flag('-a', '--all', help='display hidden nodes too'))
def list_(args: argparse.Namespace) -> None:
    """Output a list of available nodes."""
    with DirectNode(args) as node:
        node.discover()
        names = node.node_names(args.all)
    if len(set(names)) < len(names):
        print(
            'WARNING: Be aware that there are nodes in the graph that share an exact name, '
            'which can have unintended side effects.',
            file=sys.stderr,
        )
    for name in names:
        print(name)


@NodeCommand.verb(*NODE, arg('node_name', help='name of the node'))
def info(args: argparse.Namespace) -> str | None:
    """Output information about a node."""
    name = absolute_name(args.node_name)
    with DirectNode(args) as node:
        if not node.discover_until(lambda: name in node.node_names()):
            return f"Unable to find node '{args.node_name}'{suggest(name, node.node_names())}"
        print(name)
        for title, ask in (
            ('Subscribers', node.get_subscriber_names_and_types_by_node),
            ('Publishers', node.get_publisher_names_and_types_by_node),
            ('Service Servers', node.get_service_names_and_types_by_node),
            ('Service Clients', node.get_client_names_and_types_by_node),
            ('Action Servers', partial(get_action_server_names_and_types_by_node, node.node)),
            ('Action Clients', partial(get_action_client_names_and_types_by_node, node.node)),
        ):
            print(f'  {title}:')
            entries = visible(ask(*split_name(name)))
            print('\n'.join(f'    {entry}: {", ".join(types)}' for entry, types in entries))
    return None
