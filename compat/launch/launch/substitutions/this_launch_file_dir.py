# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The directory of the launch file that is being visited."""

from ..substitution import Substitution
from .substitution_failure import SubstitutionFailure


class ThisLaunchFileDir(Substitution):
    """Known only in a description that was loaded from a file."""

    def describe(self) -> str:
        return 'ThisLaunchFileDir()'

    def perform(self, context) -> str:
        names = context.get_locals_as_dict()
        if 'current_launch_file_directory' not in names:
            raise SubstitutionFailure(
                'ThisLaunchFileDir used outside of a launch file (in a script)'
            )
        return names['current_launch_file_directory']
