# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Text that is known only while launching."""
# ruff: noqa: F401

import importlib
import math
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from .logging import get_logger
from .utilities import (
    SomeSubstitutionsType,
    Substitution,
    SubstitutionFailure,
    TextSubstitution,
    describe,
    normalize,
    perform,
    perform_typed,
)


class _Composed(Substitution):
    """A substitution whose arguments may be substitutions."""

    label = ''  # the name in descriptions, where it is not the class's

    def __init__(self, *parts: 'SomeSubstitutionsType | None') -> None:
        self._parts = [normalize(part) for part in parts]

    def describe(self) -> str:
        parts = [describe(part) for part in self._parts if part is not None]
        return f'{self.label or type(self).__name__}({", ".join(parts)})'

    def _text(self, context, index: int = 0) -> str:
        return perform(context, self._parts[index])

    def _texts(self, context) -> list[str]:
        return [self._text(context, index) for index in range(len(self._parts))]

    def _boolean(self, context, index: int = 0) -> bool:
        try:
            return perform_typed(context, self._parts[index], bool)
        except ValueError as error:
            raise SubstitutionFailure(str(error)) from error


class LaunchConfiguration(_Composed):
    """The value of a launch argument, or of a configuration that an action has set.

    `default` may be of any type: what is neither text nor a substitution becomes text.
    """

    label = 'LaunchConfig'

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        if default is not None:
            several = isinstance(default, Iterable) and not isinstance(default, str)
            items = default if several else [default]
            default = [item if isinstance(item, Substitution) else str(item) for item in items]
        super().__init__(variable_name, default)

    def perform(self, context) -> str:
        name = self._text(context)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self._parts[1] is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return self._text(context, 1)


class EnvironmentVariable(_Composed):
    """The value of an environment variable."""

    label = 'EnvVar'

    def __init__(self, name, *, default_value=None) -> None:
        super().__init__(name, default_value)

    def perform(self, context) -> str:
        name = self._text(context)
        if name in context.environment:
            return context.environment[name]
        if self._parts[1] is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return self._text(context, 1)


class FindExecutable(_Composed):
    """The path of a program on PATH."""

    label = 'FindExec'

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        super().__init__(name)

    def perform(self, context) -> str:
        name = self._text(context)
        found = shutil.which(name)
        if found is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return found


class PathJoinSubstitution(_Composed):
    """The parts joined as by os.path.join."""

    label = 'PathJoin'

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        super().__init__(*substitutions)

    def perform(self, context) -> str:
        return os.path.join(*self._texts(context))


class PythonExpression(_Composed):
    """The text of an evaluated Python expression.

    It sees the named modules, and the contents of `math` without prefix if it is among them.
    """

    label = 'PythonExpr'

    def __init__(self, expression, python_modules=('math',)) -> None:
        super().__init__(expression)
        self._python_modules = normalize(python_modules)

    def perform(self, context) -> str:
        names = {}
        for sub in self._python_modules:
            module = importlib.import_module(sub.perform(context))
            if module is math:
                names.update(vars(math))
            names[module.__name__] = module
        # The launch file is code already: evaluating its text adds no new power.
        return str(eval(self._text(context), {}, names))


class Command(_Composed):
    """The output of a command, which is split as by a shell and runs without one.

    `on_stderr`: fail, ignore, warn, or capture (part of the result). A non-zero exit status is
    always a SubstitutionFailure.
    """

    def __init__(self, command, *, on_stderr='fail') -> None:
        super().__init__(command, on_stderr)

    def perform(self, context) -> str:
        command, on_stderr = self._texts(context)
        if on_stderr not in ('fail', 'ignore', 'warn', 'capture'):
            raise SubstitutionFailure(
                f"on_stderr is '{on_stderr}', expected fail, ignore, warn or capture"
            )
        stderr = subprocess.STDOUT if on_stderr == 'capture' else subprocess.PIPE
        try:
            done = subprocess.run(
                shlex.split(command), stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
            )
        except FileNotFoundError as error:
            raise SubstitutionFailure(f'file not found: {error}') from error
        output = f'Command: {command}. Captured stderr output:\n{done.stderr}'
        if done.returncode != 0:
            raise SubstitutionFailure(
                f'executed command failed with return code {done.returncode}. {output}'
            )
        if done.stderr and on_stderr == 'fail':
            raise SubstitutionFailure(f'executed command showed stderr output. {output}')
        if done.stderr and on_stderr == 'warn':
            get_logger('launch').warning(f'executed command showed stderr output. {output}')
        return done.stdout


class ThisLaunchFileDir(_Composed):
    """The directory of the launch file that is being visited."""

    def perform(self, context) -> str:
        directory = context.get_locals_as_dict().get('current_launch_file_directory')
        if directory is None:
            raise SubstitutionFailure('ThisLaunchFileDir used outside of a launch file')
        return directory


_BOOLEANS = {'true': True, '1': True, 'false': False, '0': False}


def _comparable(value: Any) -> Any:
    """None is the empty text, booleans are in lower case, other values as by str()."""
    if isinstance(value, (Substitution, list, tuple)):
        return value
    if value is None:
        return ''
    return str(value).lower() if isinstance(value, bool) else str(value)


class EqualsSubstitution(_Composed):
    """'true' or 'false': compared as booleans, as close numbers, or else as texts."""

    def __init__(self, left: Any, right: Any) -> None:
        super().__init__(_comparable(left), _comparable(right))

    def _is_equal(self, context) -> bool:
        left, right = self._texts(context)
        if left.lower() in _BOOLEANS and right.lower() in _BOOLEANS:
            return _BOOLEANS[left.lower()] == _BOOLEANS[right.lower()]
        try:
            return math.isclose(float(left), float(right))
        except ValueError:
            return left == right

    def perform(self, context) -> str:
        return str(self._is_equal(context)).lower()


class NotEqualsSubstitution(EqualsSubstitution):
    """The opposite of EqualsSubstitution."""

    def _is_equal(self, context) -> bool:
        return not super()._is_equal(context)


class NotSubstitution(_Composed):
    """'true' or 'false'; the value is read as YAML reads booleans."""

    def __init__(self, value: SomeSubstitutionsType) -> None:
        super().__init__(value)

    def perform(self, context) -> str:
        return str(not self._boolean(context)).lower()


class AndSubstitution(_Composed):
    """'true' or 'false'; both values are performed always, so that an error in either shows."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        super().__init__(left, right)

    def perform(self, context) -> str:
        return str(self._boolean(context, 0) & self._boolean(context, 1)).lower()


class OrSubstitution(AndSubstitution):
    def perform(self, context) -> str:
        return str(self._boolean(context, 0) | self._boolean(context, 1)).lower()


class IfElseSubstitution(_Composed):
    """`if_value` when the condition is true, else `else_value`; at least one is needed."""

    def __init__(self, condition, if_value='', else_value='') -> None:
        if if_value == '' and else_value == '':
            raise RuntimeError('One of if_value and else_value must be specified')
        super().__init__(condition, if_value, else_value)

    def perform(self, context) -> str:
        return self._text(context, 1 if self._boolean(context) else 2)
