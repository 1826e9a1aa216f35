# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes that have a lifecycle."""

from __future__ import annotations

from lifecycle_msgs.srv import GetAvailableTransitions
from ros2cli.names import types_of
from ros2cli.node import DirectNode
from ros2cli.text import suggest
from ros2node.api import absolute_name, node_names

#: A transition is work of the node itself, such as loading a model.
TRANSITION_TIMEOUT_S = 120.0
QUERY_TIMEOUT_S = 5.0


def lifecycle_nodes(node: DirectNode, include_hidden: bool = False) -> list[str]:
    """Return the full names of the nodes that offer `get_state`."""
    services = node.get_service_names_and_types()
    return [
        name
        for name in sorted(set(node_names(node, include_hidden)))
        if 'lifecycle_msgs/srv/GetState' in types_of(services, f'{name}/get_state')
    ]


def find(node: DirectNode, name: str, include_hidden: bool) -> str | None:
    """Wait for a lifecycle node; returns None if it is there, else the error for the user."""
    full = absolute_name(name)
    if node.discover_until(lambda: full in lifecycle_nodes(node, include_hidden)):
        return None
    if full in node_names(node, include_hidden):
        return f"Node not found: '{full}' is there, but has no lifecycle"
    known = lifecycle_nodes(node)
    if not known:
        return f"Node not found: '{full}' (there are no lifecycle nodes)"
    return f"Node not found: '{full}'{suggest(full, known)} (lifecycle nodes: {', '.join(known)})"


def transitions(node: DirectNode, name: str, *, every: bool = False) -> list[object]:
    """Return the transitions possible now, or every one that exists."""
    service = 'get_transition_graph' if every else 'get_available_transitions'
    response = node.call(
        GetAvailableTransitions,
        f'{absolute_name(name)}/{service}',
        GetAvailableTransitions.Request(),
        QUERY_TIMEOUT_S,
    )
    return list(response.available_transitions)
