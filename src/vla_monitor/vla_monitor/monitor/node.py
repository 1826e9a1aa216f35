# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node monitor: /tf and /tf_static of the robot, markers, diagnostics by group.

The robot does not need it, and nothing waits for it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vla_common.lifecycle import VlaLifecycleNode
from vla_common.node_main import run
from vla_common.states import Level
from vla_monitor.monitor.diagnostics import DiagnosticsPublisher
from vla_monitor.monitor.markers import MarkerPublisher
from vla_monitor.monitor.transform_publisher import TransformPublisher
from vla_robot import load_robot

MARKER_PERIOD = 0.2


class Monitor(VlaLifecycleNode):
    """See README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('monitor', 'vla_monitor', **node_options)

    def setup(self) -> None:
        robot = load_robot(self.params.robot)
        self._dropped: dict[str, int] = {}
        self._tf: TransformPublisher | None = None
        if self.params.tf_rate > 0.0:
            self._tf = TransformPublisher(self, robot, self._drop)
            self._markers = MarkerPublisher(self, robot)
            self.add_timer(1.0 / self.params.tf_rate, self._publish_tf)
            self.add_timer(MARKER_PERIOD, self._publish_markers)
        self._diagnostics: DiagnosticsPublisher | None = None
        if self.params.analyzers != 'none':
            shipped = self.share('vla_bringup', 'config', 'diagnostics.yaml')
            file = self.params.analyzers
            chosen = Path(file).expanduser() if file else shipped
            self._diagnostics = DiagnosticsPublisher(self, chosen)

    def start(self) -> None:
        if self._tf is not None:
            self._tf.publish_static()

    def _publish_tf(self) -> None:
        assert self._tf is not None
        self._tf.publish(needed=self._markers.watched)

    def _publish_markers(self) -> None:
        assert self._tf is not None
        self._markers.publish(self._tf.position)

    def _drop(self, topic: str, why: str) -> None:
        self._dropped[topic] = self._dropped.get(topic, 0) + 1
        self.get_logger().warning(f'{topic}: dropped, {why}', throttle_duration_sec=10.0)

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        values = {f'dropped {topic}': str(count) for topic, count in self._dropped.items()}
        if self._tf is not None:
            values['base_pose'] = self._tf.base_source
            values['tf_published'] = str(self._tf.published)
        if self._diagnostics is not None:
            values['diagnostics'] = self._diagnostics.top_level.text
        if self._dropped:
            return Level.WARNING, 'messages dropped: ' + ', '.join(self._dropped), values
        return Level.SAFE, 'watching', values


def main() -> None:
    sys.exit(run(Monitor, autostart=True))
