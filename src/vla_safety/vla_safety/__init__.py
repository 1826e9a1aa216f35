# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The safety filter between action chunks and the motors."""

from vla_safety import compiled as _compiled

_compiled.prefer_other_sources()


def main() -> None:
    """The process of the node."""
    from vla_common.node_entry import start

    start('vla_safety.node')
