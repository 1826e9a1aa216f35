# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 param list`."""

from __future__ import annotations

import argparse
import re
import sys

from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.node import DirectNode
from ros2node.api import absolute_name, find_node, node_names

from ros2param.api import TYPE_NAMES, describe, list_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('node_name', nargs='?', help='name of the node (default: all)')
    parser.add_argument('--filter', help='only names that match this regular expression')
    add_hidden_argument(parser, 'nodes')
    parser.add_argument('--param-prefixes', nargs='+', default=[], help='only these prefixes')
    parser.add_argument('--param-type', action='store_true', help='print the types too')


def main(args: argparse.Namespace) -> str | None:
    try:
        pattern = re.compile(args.filter or '')
    except re.error as error:
        return f"--filter '{args.filter}' is not a regular expression: {error}"
    hidden = getattr(args, 'include_hidden_nodes', False)
    with DirectNode(args) as node:
        if args.node_name:
            problem = find_node(node, args.node_name, hidden)
            if problem is not None:
                return problem
            nodes = [absolute_name(args.node_name)]
        else:
            node.discover()
            nodes = [name for name in sorted(set(node_names(node, hidden)))]
        for name in nodes:
            try:
                found = list_names(node, name, args.param_prefixes)
                names = [parameter for parameter in found if pattern.match(parameter)]
                types = {}
                if args.param_type and names:
                    types = {d.name: TYPE_NAMES[d.type] for d in describe(node, name, names)}
            except RuntimeError as error:
                print(f"Exception while calling service of node '{name}': {error}", file=sys.stderr)
                continue
            if not args.node_name and names:
                print(f'{name}:')
            for parameter in names:
                kind = f' (type: {types[parameter]})' if parameter in types else ''
                print(f'  {parameter}{kind}')
    return None
