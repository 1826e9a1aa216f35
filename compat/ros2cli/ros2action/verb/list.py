# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 action list`."""

import argparse

from ros2cli.arguments import add_node_arguments
from ros2cli.node import DirectNode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('-t', '--show-types', action='store_true', help='show the types too')
    parser.add_argument('-c', '--count-actions', action='store_true', help='only the number')


def main(args: argparse.Namespace) -> None:
    with DirectNode(args) as node:
        node.discover()
        found = node.get_action_names_and_types()
    if args.count_actions:
        print(len(found))
        return
    for name, types in found:
        print(f'{name} [{", ".join(types)}]' if args.show_types else name)
