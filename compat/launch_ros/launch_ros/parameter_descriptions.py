# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes with a stated type, and in files."""

import atexit
import os
import tempfile
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from launch._subset import refusing_getattr
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import SomeSubstitutionsType, Substitution

_SCALARS = (bool, int, float, str)


def write_temporary_yaml(prefix: str, content: str) -> str:
    """The path of a file that lives as long as this process (nodes may be respawned)."""
    with tempfile.NamedTemporaryFile('w', prefix=prefix, delete=False, encoding='utf-8') as file:
        file.write(content)
    atexit.register(_remove, file.name, os.getpid())
    return file.name


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a fork
        Path(path).unlink(missing_ok=True)


class ParameterValue:
    """A value that is converted to `value_type`: bool, int, float, str or list[one of these].

    Without a type, text and substitutions are read as YAML.
    """

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        item_type = get_args(value_type)[0] if get_origin(value_type) is list else value_type
        if item_type is not None and item_type not in _SCALARS:
            raise TypeError(f'value_type {value_type!r}: expected bool, int, float, str or a list')
        self._value = value
        self._is_list = get_origin(value_type) is list
        self._item_type = item_type
        self._value_type = value_type

    @property
    def value(self) -> Any:
        return self._value

    @property
    def value_type(self) -> Any:
        return self._value_type

    def evaluate(self, context) -> Any:
        """The value; ValueError if it isn't of the type."""
        if self._is_list and not isinstance(self._value, (str, Substitution)):
            whole = [_expand(context, item) for item in self._value]
        else:
            whole = _expand(context, self._value)
        if self._is_list and isinstance(whole, str):
            whole = yaml.safe_load(whole)
        if self._is_list:
            if not isinstance(whole, list):
                raise ValueError(f'expected a list, got {whole!r}')
            return [self._convert(item) for item in whole]
        return self._convert(whole)

    def _convert(self, value: Any) -> Any:
        wanted = self._item_type
        if wanted is str:
            if not isinstance(value, str):
                raise ValueError(f'expected str, got {value!r}')
            return value
        if isinstance(value, str):
            value = yaml.safe_load(value)
        if wanted is float and type(value) is int:
            return float(value)
        if wanted is not None and type(value) is not wanted:
            raise ValueError(f'expected {wanted.__name__}, got {value!r}')
        return value


def _expand(context, value: Any) -> Any:
    """Text from text and substitutions; other values, and lists of other values, as they are."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    if all(isinstance(part, (str, Substitution)) for part in parts) and parts:
        return perform_substitutions(context, normalize_to_list_of_substitutions(parts))
    return list(value) if isinstance(value, tuple) else value


class Parameter:
    """One parameter, given to a node as `-p name:=value`."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: Any,
        *,
        value_type: Any = None,
        description: SomeSubstitutionsType = '',
    ) -> None:
        self._name = normalize_to_list_of_substitutions(name)
        self._value = ParameterValue(value, value_type=value_type)
        self._description = normalize_to_list_of_substitutions(description)

    @property
    def name(self) -> list[Substitution]:
        return self._name

    @property
    def value(self) -> Any:
        return self._value.value

    @property
    def description(self) -> list[Substitution]:
        return self._description

    def evaluate(self, context) -> tuple[str, Any]:
        return perform_substitutions(context, self._name), self._value.evaluate(context)


class ParameterFile:
    """A parameter file; with `allow_substs` what `$(…)` in its values stands for is put in."""

    def __init__(self, param_file: Any, *, allow_substs: Any = False) -> None:
        self._param_file = normalize_to_list_of_substitutions(param_file)
        if not isinstance(allow_substs, bool):
            allow_substs = normalize_to_list_of_substitutions(allow_substs)
        self._allow_substs = allow_substs

    @property
    def param_file(self) -> list[Substitution]:
        return self._param_file

    @property
    def allow_substs(self) -> Any:
        return self._allow_substs

    def evaluate(self, context) -> Path:
        """The path of the file, or of a temporary one with the substitutions performed."""
        from launch.utilities.type_utils import perform_typed_substitution

        from .utilities.file_substitutions import perform_in_text

        path = Path(perform_substitutions(context, self._param_file))
        if not perform_typed_substitution(context, self._allow_substs, bool):
            return path
        # In the text, before YAML is read: quotes around a substitution decide its type.
        text = perform_in_text(context, path.read_text(encoding='utf-8'))
        return Path(write_temporary_yaml('launch_params_', text))


__getattr__ = refusing_getattr(__name__)
