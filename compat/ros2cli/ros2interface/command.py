# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 interface`."""

from typing import ClassVar

from ros2cli.command import VerbCommand


class InterfaceCommand(VerbCommand):
    """Show information about ROS interfaces."""

    PACKAGE = 'ros2interface'
    VERBS: ClassVar = {
        'list': 'list all interface types available',
        'show': 'output the interface definition',
    }
    NOT_HERE = ('package', 'packages', 'proto')
