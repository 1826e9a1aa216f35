# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 action info`."""

from __future__ import annotations

import argparse

from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.node import HIDDEN_NODE_PREFIX
from ros2cli.arguments import add_node_arguments
from ros2cli.names import expanded, types_of
from ros2cli.node import DirectNode
from ros2node.api import node_names, split_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('action_name', help='name of the action')
    parser.add_argument('-t', '--show-types', action='store_true', help='show the types too')
    parser.add_argument('-c', '--count', action='store_true', help='only the numbers')


def main(args: argparse.Namespace) -> None:
    with DirectNode(args) as node:
        action = expanded(node, args.action_name)
        node.discover_until(lambda: types_of(node.get_action_names_and_types(), action))
        sides = {
            'clients': get_action_client_names_and_types_by_node,
            'servers': get_action_server_names_and_types_by_node,
        }
        print(f'Action: {args.action_name}')
        for side, ask in sides.items():
            found = _nodes_with(node, action, ask)
            print(f'Action {side}: {len(found)}')
            for name, types in found if not args.count else ():
                print(f'    {name} [{", ".join(types)}]' if args.show_types else f'    {name}')


def _nodes_with(node: DirectNode, action: str, ask: object) -> list[tuple[str, list[str]]]:
    found = []
    for name in node_names(node, include_hidden=True):
        own, namespace = split_name(name)
        if own == node.get_name() and own.startswith(HIDDEN_NODE_PREFIX):
            continue
        types = types_of(ask(node.node, own, namespace), action)
        if types:
            found.append((name, types))
    return found
