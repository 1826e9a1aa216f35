# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg`."""

from typing import ClassVar

from ros2cli.command import VerbCommand


class PkgCommand(VerbCommand):
    """Various package related sub-commands."""

    PACKAGE = 'ros2pkg'
    VERBS: ClassVar = {
        'executables': 'output a list of package specific executables',
        'list': 'output a list of available packages',
        'prefix': 'output the prefix path of a package',
    }
    NOT_HERE = ('create', 'xml')
