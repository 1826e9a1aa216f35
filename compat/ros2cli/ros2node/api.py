# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes of the graph."""

from __future__ import annotations

from rclpy.node import HIDDEN_NODE_PREFIX
from ros2cli.node import DirectNode
from ros2cli.text import suggest


def absolute_name(name: str) -> str:
    """Return the name with its leading slash."""
    return name if name.startswith('/') else f'/{name}'


def split_name(name: str) -> tuple[str, str]:
    """Return the node's own name and its namespace."""
    namespace, own = absolute_name(name).rsplit('/', 1)
    return own, namespace or '/'


def node_names(node: DirectNode, include_hidden: bool = False) -> list[str]:
    """Return the full names of the nodes, with repetitions, sorted."""
    return sorted(
        f'{namespace.rstrip("/")}/{name}'
        for name, namespace in node.get_node_names_and_namespaces()
        if name and (include_hidden or not name.startswith(HIDDEN_NODE_PREFIX))
    )


def find_node(
    node: DirectNode, name: str, include_hidden: bool = False, at_most: float | None = None
) -> str | None:
    """Wait for a node; returns None if it is there, else the error for the user."""
    full = absolute_name(name)
    if node.discover_until(lambda: full in node_names(node, include_hidden), at_most):
        return None
    known = node_names(node)
    return f"Node not found: '{full}'{suggest(full, known)}" + (
        '' if known else ' (there are no nodes)'
    )
