# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle`."""

from typing import ClassVar

from ros2cli.command import VerbCommand


class LifecycleCommand(VerbCommand):
    """Various lifecycle related sub-commands."""

    PACKAGE = 'ros2lifecycle'
    VERBS: ClassVar = {
        'get': 'get lifecycle state for one or more nodes',
        'list': 'output a list of available transitions',
        'nodes': 'output a list of nodes with lifecycle',
        'set': 'trigger lifecycle state transition',
    }
