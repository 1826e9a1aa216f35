# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The operator's lines about a bring-up that fails or takes long, each once."""

from __future__ import annotations

from vla_supervisor.lifecycle_manager import LifecycleManager


class BringUpLog:
    """Lines about the nodes of a `LifecycleManager`."""

    def __init__(self, nodes: LifecycleManager) -> None:
        self._nodes = nodes
        self._stuck: tuple[str, ...] = ()
        self._overdue: set[str] = set()

    def new_lines(self, inactive: bool) -> list[str]:
        """What has changed since the last call. inactive: the mode is INACTIVE."""
        nodes, lines = self._nodes, []
        overdue = set(nodes.overdue)
        lines += [
            f'{name} is not up: {nodes.why_not(name)}. It is used as soon as it is ready'
            for name in sorted(overdue - self._overdue)
        ]
        stuck = nodes.stuck if inactive else ()
        if stuck and stuck != self._stuck:
            why = '; '.join(f'{name} is not up: {nodes.why_not(name)}' for name in stuck)
            lines.append(
                f'INACTIVE: {why}. Fix it (a parameter: ros2 param set), then: '
                'ros2 run vla_supervisor command arm'
            )
        self._overdue, self._stuck = overdue, stuck
        return lines
