# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 param dump`."""

from __future__ import annotations

import argparse

from ros2cli.messages import to_yaml
from ros2cli.node import DirectNode
from ros2node.api import absolute_name

from ros2param.api import add_target_arguments, find, get_values, list_names, to_python


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_arguments(parser)


def main(args: argparse.Namespace) -> str | None:
    with DirectNode(args) as node:
        problem = find(node, args)
        if problem is not None:
            return problem
        names = list_names(node, args.node_name)
        values = get_values(node, args.node_name, names)
    tree: dict[str, object] = {}
    for name, value in zip(names, values, strict=True):
        _insert(tree, name, to_python(value))
    print(to_yaml({absolute_name(args.node_name): {'ros__parameters': tree}}))
    return None


def _insert(tree: dict[str, object], name: str, value: object) -> None:
    """Put `a.b.c` where a parameter file has it."""
    head, dot, rest = name.partition('.')
    if dot and isinstance(tree.setdefault(head, {}), dict):
        _insert(tree[head], rest, value)
    else:
        tree[name] = value
