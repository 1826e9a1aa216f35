# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Cameras: sources and the node."""


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_camera.node')
