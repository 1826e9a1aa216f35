# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""/diagnostics → /diagnostics_agg and /diagnostics_toplevel_state."""

from __future__ import annotations

from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from vla_common import topics
from vla_common.clock import steady_now
from vla_common.lifecycle import VlaLifecycleNode
from vla_monitor.aggregation.analyzers import Status, StatusLevel
from vla_monitor.aggregation.configuration import AggregatorFile


class DiagnosticsPublisher:
    """Publishes the groups at the file's rate; an item that falls silent becomes STALE.

    Raises ConfigError: the file cannot be used.
    """

    def __init__(self, node: VlaLifecycleNode, file: Path) -> None:
        settings = AggregatorFile(file)
        self._node = node
        self._aggregator = settings.aggregator()
        self._critical = settings.critical
        self.top_level = StatusLevel.STALE
        self._out = node.add_publisher(topics.DIAGNOSTICS_AGG)
        self._top_out = node.add_publisher(topics.DIAGNOSTICS_TOPLEVEL)
        node.subscribe(topics.DIAGNOSTICS, self._on_diagnostics)
        node.add_timer(1.0 / settings.pub_rate, self._publish)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        now = steady_now()
        for status in message.status:
            level = level_of(status)
            self._aggregator.add(
                Status(
                    status.name,
                    level,
                    status.message,
                    status.hardware_id,
                    tuple((pair.key, pair.value) for pair in status.values),
                ),
                now,
            )
            if self._critical and level == StatusLevel.ERROR != self.top_level:
                self._publish_top(level, 'toplevel_state_critical')

    def _publish(self) -> None:
        found, level = self._aggregator.report(steady_now())
        message = DiagnosticArray(status=[status_message(status) for status in found])
        message.header.stamp = self._node.stamp()
        self._out.publish(message)
        self._publish_top(level, 'toplevel_state')

    def _publish_top(self, level: StatusLevel, name: str) -> None:
        self.top_level = level
        self._top_out.publish(DiagnosticStatus(name=name, level=bytes([level])))


def level_of(status: DiagnosticStatus) -> StatusLevel:
    """The level of a message; one that does not exist is an error, as upstream has it."""
    value = status.level[0] if isinstance(status.level, bytes) else status.level
    return StatusLevel(value) if value in list(StatusLevel) else StatusLevel.ERROR


def status_message(status: Status) -> DiagnosticStatus:
    """The message of one status."""
    return DiagnosticStatus(
        name=status.name,
        level=bytes([status.level]),
        message=status.message,
        hardware_id=status.hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in status.values],
    )
