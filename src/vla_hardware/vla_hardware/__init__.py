# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver of the robot: servo loop, stop behaviours, robot drivers."""


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_hardware.node')
