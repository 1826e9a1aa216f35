# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Launch descriptions in files. XML and YAML launch files are outside the stand-in."""

from .._subset import refusing_getattr
from .any_launch_description_source import (
    AnyLaunchDescriptionSource,
    get_launch_description_from_any_launch_file,
)
from .python_launch_description_source import (
    InvalidPythonLaunchFileError,
    PythonLaunchDescriptionSource,
    get_launch_description_from_python_launch_file,
    load_python_launch_file_as_module,
)

__all__ = [
    'AnyLaunchDescriptionSource',
    'InvalidPythonLaunchFileError',
    'PythonLaunchDescriptionSource',
    'get_launch_description_from_any_launch_file',
    'get_launch_description_from_python_launch_file',
    'load_python_launch_file_as_module',
]

__getattr__ = refusing_getattr(__name__)
