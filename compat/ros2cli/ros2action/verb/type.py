# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 action type`."""

import argparse
import sys

from ros2cli.arguments import add_node_arguments
from ros2cli.names import expanded, types_of
from ros2cli.node import DirectNode
from ros2cli.text import suggest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('action_name', help='name of the action')


def main(args: argparse.Namespace) -> int:
    with DirectNode(args) as node:
        name = expanded(node, args.action_name)
        if not node.discover_until(lambda: types_of(node.get_action_names_and_types(), name)):
            known = [found for found, _ in node.get_action_names_and_types()]
            print(f"Unknown action '{name}'{suggest(name, known)}", file=sys.stderr)
            return 1
        print(*types_of(node.get_action_names_and_types(), name), sep='\n')
    return 0
