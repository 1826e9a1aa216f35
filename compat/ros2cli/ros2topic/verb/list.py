# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic list`."""

import argparse

from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.node import DirectNode

from ros2topic.api import topics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('-t', '--show-types', action='store_true', help='show the types too')
    parser.add_argument('-c', '--count-topics', action='store_true', help='show only the number')
    parser.add_argument('-v', '--verbose', action='store_true', help='list full details')
    add_hidden_argument(parser, 'topics')


def main(args: argparse.Namespace) -> None:
    with DirectNode(args) as node:
        node.discover()
        found = topics(node, args.include_hidden_topics)
        counts = [
            (name, types, node.count_publishers(name), node.count_subscribers(name))
            for name, types in found
        ]
    if args.count_topics:
        print(len(found))
    elif args.verbose:
        _print_side('Published', 'publisher', [(n, t, p) for n, t, p, _ in counts])
        _print_side('Subscribed', 'subscriber', [(n, t, s) for n, t, _, s in counts])
    else:
        for name, types in found:
            print(f'{name} [{", ".join(types)}]' if args.show_types else name)


def _print_side(title: str, noun: str, rows: list[tuple[str, list[str], int]]) -> None:
    print(f'{title} topics:')
    for name, types, count in rows:
        if count:
            print(f' * {name} [{", ".join(types)}] {count} {noun}{"s" if count > 1 else ""}')
    print()
