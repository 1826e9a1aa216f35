# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle list`."""

from __future__ import annotations

import argparse

from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.node import DirectNode

from ros2lifecycle.api import find, transitions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('node_name', help='name of the node')
    add_hidden_argument(parser, 'nodes')
    parser.add_argument('-a', '--all', action='store_true', help='display all transitions')


def main(args: argparse.Namespace) -> str | None:
    with DirectNode(args) as node:
        problem = find(node, args.node_name, getattr(args, 'include_hidden_nodes', False))
        if problem is not None:
            return problem
        for item in transitions(node, args.node_name, every=args.all):
            print(
                f'- {item.transition.label} [{item.transition.id}]\n'
                f'\tStart: {item.start_state.label}\n'
                f'\tGoal: {item.goal_state.label}'
            )
    return None
