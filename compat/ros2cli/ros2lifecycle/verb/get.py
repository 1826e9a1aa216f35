# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle get`."""

from __future__ import annotations

import argparse
import sys

from lifecycle_msgs.srv import GetState
from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.node import DirectNode
from ros2node.api import absolute_name

from ros2lifecycle.api import QUERY_TIMEOUT_S, find, lifecycle_nodes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('node_name', nargs='?', help='name of the node (default: all)')
    add_hidden_argument(parser, 'nodes')


def main(args: argparse.Namespace) -> str | int | None:
    include_hidden = getattr(args, 'include_hidden_nodes', False)
    with DirectNode(args) as node:
        if args.node_name:
            problem = find(node, args.node_name, include_hidden)
            if problem is not None:
                return problem
            names = [absolute_name(args.node_name)]
        else:
            node.discover()
            names = lifecycle_nodes(node, include_hidden)
        for name in names:
            try:
                response = node.call(
                    GetState, f'{name}/get_state', GetState.Request(), QUERY_TIMEOUT_S
                )
            except RuntimeError as error:
                print(f"Exception while calling service of node '{name}': {error}", file=sys.stderr)
                if args.node_name:
                    return 1
                continue
            state = response.current_state
            prefix = '' if args.node_name else f'{name}: '
            print(f'{prefix}{state.label} [{state.id}]')
    return None
