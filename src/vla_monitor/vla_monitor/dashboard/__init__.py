# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The operator's page in a browser: state, instructions, and an e-stop."""


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_monitor.dashboard.node')
