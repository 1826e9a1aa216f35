# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot's modes: who may move it, what stops it, and how it comes back."""


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_supervisor.node')
