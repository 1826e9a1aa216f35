# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle set`."""

from __future__ import annotations

import argparse
import sys

from lifecycle_msgs.srv import ChangeState
from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.node import DirectNode
from ros2node.api import absolute_name

from ros2lifecycle.api import TRANSITION_TIMEOUT_S, find, transitions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('node_name', help='name of the node')
    add_hidden_argument(parser, 'nodes')
    parser.add_argument('transition', help='label or number of the transition')


def main(args: argparse.Namespace) -> str | None:
    with DirectNode(args) as node:
        problem = find(node, args.node_name, getattr(args, 'include_hidden_nodes', False))
        if problem is not None:
            return problem
        possible = [item.transition for item in transitions(node, args.node_name)]
        wanted = next((t for t in possible if t.label == args.transition), None) or next(
            (t for t in possible if str(t.id) == args.transition), None
        )
        if wanted is None:
            return 'Unknown transition requested, available ones are:' + ''.join(
                f'\n- {t.label} [{t.id}]' for t in possible
            )
        response = node.call(
            ChangeState,
            f'{absolute_name(args.node_name)}/change_state',
            ChangeState.Request(transition=wanted),
            TRANSITION_TIMEOUT_S,
        )
        # Exit status 0 in both cases, as the real verb has it.
        if response.success:
            print('Transitioning successful')
        else:
            print('Transitioning failed', file=sys.stderr)
    return None
