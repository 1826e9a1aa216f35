# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The inference node: instruction and observations in, action chunks out."""


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_inference.node')
