# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 service type`."""

import argparse
import sys

from ros2cli.arguments import add_node_arguments
from ros2cli.names import expanded, types_of, visible
from ros2cli.node import DirectNode
from ros2cli.text import suggest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('service_name', help='name of the service')


def main(args: argparse.Namespace) -> int:
    with DirectNode(args) as node:
        name = expanded(node, args.service_name)
        if not node.discover_until(lambda: types_of(node.get_service_names_and_types(), name)):
            known = [found for found, _ in visible(node.get_service_names_and_types())]
            print(f"Unknown service '{name}'{suggest(name, known)}", file=sys.stderr)
            return 1
        print(*types_of(node.get_service_names_and_types(), name), sep='\n')
    return 0
