# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 param`."""

from typing import ClassVar

from ros2cli.command import VerbCommand


class ParamCommand(VerbCommand):
    """Various param related sub-commands."""

    PACKAGE = 'ros2param'
    VERBS: ClassVar = {
        'describe': 'show descriptive information about declared parameters',
        'dump': 'show all of the parameters of a node in a YAML file format',
        'get': 'get parameter',
        'list': 'output a list of available parameters',
        'set': 'set parameter',
    }
    NOT_HERE = ('delete', 'load')
