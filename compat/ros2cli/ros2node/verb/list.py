# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 node list`."""

import argparse
import sys

from ros2cli.arguments import add_node_arguments
from ros2cli.node import DirectNode

from ros2node.api import node_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('-a', '--all', action='store_true', help='display hidden nodes too')
    parser.add_argument('-c', '--count-nodes', action='store_true', help='show only the number')


def main(args: argparse.Namespace) -> None:
    with DirectNode(args) as node:
        node.discover()
        names = node_names(node, args.all)
    if args.count_nodes:
        print(len(names))
        return
    if len(set(names)) < len(names):
        print(
            'WARNING: Be aware that there are nodes in the graph that share an exact name, '
            'which can have unintended side effects.',
            file=sys.stderr,
        )
    if names:
        print(*names, sep='\n')
