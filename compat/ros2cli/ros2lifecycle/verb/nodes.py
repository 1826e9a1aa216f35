# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle nodes`."""

import argparse

from ros2cli.arguments import add_node_arguments
from ros2cli.node import DirectNode

from ros2lifecycle.api import lifecycle_nodes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('-a', '--all', action='store_true', help='display hidden nodes too')
    parser.add_argument('-c', '--count-nodes', action='store_true', help='show only the number')


def main(args: argparse.Namespace) -> None:
    with DirectNode(args) as node:
        node.discover()
        names = lifecycle_nodes(node, args.all)
    if args.count_nodes:
        print(len(names))
    elif names:
        print(*names, sep='\n')
