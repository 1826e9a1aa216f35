# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The path of the launch file that is being visited."""

from ..substitution import Substitution
from .substitution_failure import SubstitutionFailure


class ThisLaunchFile(Substitution):
    """Known only in a description that was loaded from a file."""

    def describe(self) -> str:
        return 'ThisLaunchFile()'

    def perform(self, context) -> str:
        names = context.get_locals_as_dict()
        if 'current_launch_file_path' not in names:
            raise SubstitutionFailure('ThisLaunchFile used outside of a launch file')
        return names['current_launch_file_path']
