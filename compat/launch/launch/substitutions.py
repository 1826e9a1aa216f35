# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Text that is known only while launching."""
# ruff: noqa: F401

import importlib
import os
from collections.abc import Iterable
from typing import Any

from .utilities import (
    Substitution,
    SubstitutionFailure,
    TextSubstitution,
    describe,
    normalize,
    perform,
)


class _Composed(Substitution):
    """A substitution whose arguments may be substitutions."""

    label = ''  # the name in descriptions, where it is not the class's

    def __init__(self, *parts: Any) -> None:
        self._parts = [normalize(part) for part in parts]

    def describe(self) -> str:
        parts = [describe(part) for part in self._parts if part is not None]
        return f'{self.label or type(self).__name__}({", ".join(parts)})'

    def _text(self, context, index: int = 0) -> str:
        return perform(context, self._parts[index])


class _Lookup(_Composed):
    """A named value, or the default that may be given."""

    def _look_up(self, context, values, noun: str) -> str:
        name = self._text(context)
        if name in values:
            return values[name]
        if self._parts[1] is None:
            raise SubstitutionFailure(f"{noun} '{name}' does not exist")
        return self._text(context, 1)


class LaunchConfiguration(_Lookup):
    """The value of a launch argument, or of a configuration that an action has set.

    `default` may be of any type: what is neither text nor a substitution becomes text.
    """

    label = 'LaunchConfig'

    def __init__(self, variable_name, *, default: Any = None) -> None:
        if default is not None:
            several = isinstance(default, Iterable) and not isinstance(default, str)
            items = default if several else [default]
            default = [item if isinstance(item, Substitution) else str(item) for item in items]
        super().__init__(variable_name, default)

    def perform(self, context) -> str:
        return self._look_up(context, context.launch_configurations, 'launch configuration')


class EnvironmentVariable(_Lookup):
    """The value of an environment variable."""

    label = 'EnvVar'

    def __init__(self, name, *, default_value=None) -> None:
        super().__init__(name, default_value)

    def perform(self, context) -> str:
        return self._look_up(context, context.environment, 'environment variable')


class PathJoinSubstitution(_Composed):
    """The parts joined as by os.path.join."""

    label = 'PathJoin'

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        super().__init__(*substitutions)

    def perform(self, context) -> str:
        return os.path.join(*(perform(context, part) for part in self._parts))


class PythonExpression(_Composed):
    """The text of an evaluated Python expression.

    It sees the named modules, and the contents of `math` without prefix if it is among them.
    """

    label = 'PythonExpr'

    def __init__(self, expression, python_modules=('math',)) -> None:
        super().__init__(expression)
        self._modules = [importlib.import_module(name) for name in python_modules]

    def perform(self, context) -> str:
        names = {module.__name__: module for module in self._modules}
        if 'math' in names:
            names = vars(names['math']) | names
        # The launch file is code already: evaluating its text adds no new power.
        return str(eval(self._text(context), {}, names))


class ThisLaunchFileDir(_Composed):
    """The directory of the launch file that is being visited."""

    def perform(self, context) -> str:
        directory = context.get_locals_as_dict().get('current_launch_file_directory')
        if directory is None:
            raise SubstitutionFailure('ThisLaunchFileDir used outside of a launch file')
        return directory
