# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Launch descriptions and where they come from. XML and YAML launch files are left out."""

import os
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from . import logging
from ._subset import outside
from .launch_context import LaunchContext
from .utilities import (
    SomeSubstitutionsType,
    describe,
    normalize,
    perform,
)


class InvalidPythonLaunchFileError(Exception):
    """The file has no generate_launch_description()."""


def get_launch_description_from_python_launch_file(python_launch_file_path: str):
    """What the file's generate_launch_description() returns."""
    loader = SourceFileLoader('python_launch_file', python_launch_file_path)
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    if not hasattr(module, 'generate_launch_description'):
        raise InvalidPythonLaunchFileError(
            f"launch file at '{python_launch_file_path}' does not contain the required function "
            "'generate_launch_description()'"
        )
    return module.generate_launch_description()


def get_launch_description_from_any_launch_file(launch_file_path: str):
    if not os.path.isfile(launch_file_path):
        raise FileNotFoundError(f"launch file '{launch_file_path}' does not exist")
    if not launch_file_path.endswith('.py'):
        raise ValueError(outside(f"the form of launch file '{launch_file_path}' (not .py)"))
    return get_launch_description_from_python_launch_file(launch_file_path)


class LaunchDescriptionSource:
    """A launch description and its location; subclasses load it from there."""

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
            self._launch_description = self._get_launch_description(self._expanded_location)
        return self._launch_description

    def try_get_launch_description_without_context(self):
        """The description if its location needs no launch configuration, else None."""
        if self._launch_description is not None:
            return self._launch_description
        try:
            location = perform(LaunchContext(), self._location)
            return self._get_launch_description(location)
        except Exception:  # whatever an included file raises: it may only lack its arguments
            logging.get_logger('launch').debug(traceback.format_exc())
            return None

    def _get_launch_description(self, location: str):
        raise RuntimeError(f'no launch description was given for {location!r}')


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file in Python."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path)

    def _get_launch_description(self, location: str):
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(PythonLaunchDescriptionSource):
    """A launch file; any form but Python is rejected."""

    def _get_launch_description(self, location: str):
        return get_launch_description_from_any_launch_file(location)
