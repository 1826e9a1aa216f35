# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 node`."""

from typing import ClassVar

from ros2cli.command import VerbCommand


class NodeCommand(VerbCommand):
    """Various node related sub-commands."""

    PACKAGE = 'ros2node'
    VERBS: ClassVar = {
        'info': 'output information about a node',
        'list': 'output a list of available nodes',
    }
