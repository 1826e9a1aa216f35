# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Registries of implementations by name: drivers, cameras, runtimes, kinds of policy.

A package registers its own in a table. Another package adds one by an entry point, with one line
in its setup.cfg:

    [options.entry_points]
    vla.drivers =
        my_robot = my_robot_driver.driver:MyRobotDriver
"""

import functools
import importlib
import re
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from vla_common.errors import ConfigError, first_line


def load_object(target: str, file: str, key: str) -> Any:
    """The object named by `target`, 'package.module:name'.

    Raises ConfigError: the form is another, the import fails, or the module has no such name.
    """
    match = re.fullmatch(r'([\w.]+):(\w+)', target)
    if match is None:
        raise ConfigError(file, key, target, 'package.module:name')
    try:
        return getattr(importlib.import_module(match[1]), match[2])
    except Exception as error:  # a module may raise anything while it is imported
        found = f'{target} ({type(error).__name__}: {first_line(error)})'
        wanted = 'an importable name (the directory of a module of your own on PYTHONPATH)'
        raise ConfigError(file, key, found, wanted) from error


class Registry:
    """Implementations by name, each imported when it is loaded.

    Args:
        group: entry point group that extends it, e.g. 'vla.drivers'.
        built_in: 'package.module:name' by name. An entry point cannot replace one of these.
    """

    def __init__(self, group: str, built_in: Mapping[str, str]) -> None:
        self.group = group
        self._built_in = dict(built_in)

    def names(self) -> tuple[str, ...]:
        """All names, built-in ones first. Imports no implementation."""
        added = sorted(set(self._entry_points()) - set(self._built_in))
        return (*self._built_in, *added)

    def load(self, name: str, file: str, key: str) -> Any:
        """The class or factory that is registered as `name`.

        Args:
            file: file (or 'parameters') that names it, for the error.
            key: key in that file, for the error.

        Raises ConfigError: the name is unknown, or its module cannot be imported.
        """
        target = self._built_in.get(name)
        if target is None:
            point = self._entry_points().get(name)
            if point is None:
                raise ConfigError(file, key, repr(name), f'one of {", ".join(self.names())}')
            target = point.value
        return load_object(target, file, key)

    def _entry_points(self) -> Mapping[str, EntryPoint]:
        return _installed(self.group, tuple(sys.path))


@functools.lru_cache(maxsize=64)
def _installed(group: str, path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """The entry points of a group. Searching `path` (sys.path) takes 40 ms, and loading a bundle
    needs them several times."""
    return {point.name: point for point in entry_points(group=group)}
