# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which nodes an event is meant for."""

from collections.abc import Callable


def matches_node_name(node_name: str) -> Callable[[object], bool]:
    """The fully qualified name (the leading slash may be left out)."""
    wanted = node_name if node_name.startswith('/') else f'/{node_name}'
    return lambda action: action.node_name == wanted
