# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Launch descriptions and where they come from. XML and YAML launch files are left out."""

import os
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from . import logging
from ._subset import outside
from .launch_context import LaunchContext
from .utilities import describe, normalize, perform


def get_launch_description_from_python_launch_file(path: str):
    """What the file's generate_launch_description() returns."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"launch file '{path}' does not exist")
    if not path.endswith('.py'):
        raise ValueError(outside(f"the form of launch file '{path}' (not .py)"))
    loader = SourceFileLoader('python_launch_file', path)
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    if not hasattr(module, 'generate_launch_description'):
        raise RuntimeError(
            f"launch file at '{path}' does not contain the required function "
            "'generate_launch_description()'"
        )
    return module.generate_launch_description()


class LaunchDescriptionSource:
    """A launch description and its location, from where it is loaded if it is not given."""

    def __init__(self, launch_description=None, location='<string>') -> None:
        self._launch_description = launch_description
        self._location = normalize(location)
        self._expanded_location: str | None = None

    @property
    def location(self) -> str:
        return self._expanded_location or describe(self._location)

    def get_launch_description(self, context):
        if self._expanded_location is None:
            self._expanded_location = perform(context, self._location)
        if self._launch_description is None:
            self._launch_description = self._load(self._expanded_location)
        return self._launch_description

    def try_get_launch_description_without_context(self):
        """The description if its location needs no launch configuration, else None."""
        if self._launch_description is not None:
            return self._launch_description
        try:
            return self._load(perform(LaunchContext(), self._location))
        except Exception:  # whatever an included file raises: it may only lack its arguments
            logging.get_logger('launch').debug(traceback.format_exc())
            return None

    _load = staticmethod(get_launch_description_from_python_launch_file)


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file in Python."""

    def __init__(self, launch_file_path) -> None:
        super().__init__(None, launch_file_path)
