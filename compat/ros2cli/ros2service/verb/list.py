# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 service list`."""

import argparse

from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.names import visible
from ros2cli.node import DirectNode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('-t', '--show-types', action='store_true', help='show the types too')
    parser.add_argument('-c', '--count-services', action='store_true', help='only the number')
    add_hidden_argument(parser, 'services')


def main(args: argparse.Namespace) -> None:
    with DirectNode(args) as node:
        node.discover()
        found = visible(node.get_service_names_and_types(), args.include_hidden_services)
    if args.count_services:
        print(len(found))
        return
    for name, types in found:
        print(f'{name} [{", ".join(types)}]' if args.show_types else name)
