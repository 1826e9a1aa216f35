# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node monitor: /tf for viewers, aggregated diagnostics, metrics."""


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_monitor.monitor.node')
