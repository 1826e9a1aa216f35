# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 interface show`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator

from ros2interface.api import definition_path

#: A field whose type is an interface: `geometry_msgs/Point[3] name`, `Point name`.
_NESTED = re.compile(r'^((?:[a-z]\w*/(?:msg/)?)?[A-Z]\w*)(?:\[[<=0-9]*\])?\s+[a-z]\w*')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--all-comments', action='store_true', help='comments of nested types too')
    group.add_argument('--no-comments', action='store_true', help='no comments, no empty lines')
    parser.add_argument('type', help="interface, such as std_msgs/msg/String; '-' reads stdin")


def main(args: argparse.Namespace) -> None:
    name = sys.stdin.readline().strip() if args.type == '-' else args.type
    for line in _lines(name, not args.no_comments, args.all_comments, 0):
        print(line)


def _lines(name: str, comments: bool, nested_comments: bool, depth: int) -> Iterator[str]:
    package = name.split('/')[0]
    with open(definition_path(name), encoding='utf-8') as definition:
        for raw in definition:
            line = raw.rstrip()
            if not comments:
                line = _without_comment(line)
                if not line:
                    continue
            yield '\t' * depth + line if line else ''
            match = _NESTED.match(line)
            if match:
                inner = _full_name(match[1], package)
                if os.path.exists(definition_path(inner)):
                    yield from _lines(inner, nested_comments, nested_comments, depth + 1)


def _without_comment(line: str) -> str:
    if re.search(r"""["'].*#.*["']""", line):
        return line
    return line.partition('#')[0].rstrip()


def _full_name(name: str, package: str) -> str:
    if name == 'Header':
        # The one type that rosidl knows by its bare name.
        return 'std_msgs/msg/Header'
    named, slash, own = name.replace('/msg/', '/').rpartition('/')
    return f'{named if slash else package}/msg/{own}'
