# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 action`."""

from typing import ClassVar

from ros2cli.command import VerbCommand


class ActionCommand(VerbCommand):
    """Various action related sub-commands."""

    PACKAGE = 'ros2action'
    VERBS: ClassVar = {
        'info': 'print information about an action',
        'list': 'output a list of action names',
        'send_goal': 'send an action goal',
        'type': "print an action's type",
    }
