# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Launch descriptions in a file of a form that its name tells."""

import os

from .._subset import outside
from ..launch_description import LaunchDescription
from ..launch_description_source import LaunchDescriptionSource
from ..some_substitutions_type import SomeSubstitutionsType
from .python_launch_description_source import get_launch_description_from_python_launch_file


def get_launch_description_from_any_launch_file(launch_file_path: str) -> LaunchDescription:
    if not os.path.isfile(launch_file_path):
        raise FileNotFoundError(f"launch file '{launch_file_path}' does not exist")
    if not launch_file_path.endswith('.py'):
        raise ValueError(outside(f"the form of launch file '{launch_file_path}' (not .py)"))
    return get_launch_description_from_python_launch_file(launch_file_path)


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file; only those in Python are understood."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path, 'any launch file')

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_any_launch_file(location)
