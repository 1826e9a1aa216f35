# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes: checked when the launch file describes them, evaluated while launching.

A dict may nest (joined by dots) and may hold plain values, lists of one kind, and substitutions.
Text given as such stays text; the text of a substitution is read as YAML, unless it is wrapped in
ParameterValue with a type.
"""

import atexit
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from launch._subset import outside
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    SubstitutionFailure,
    ThisLaunchFileDir,
)
from launch.utilities import (
    Substitution,
    normalize,
    normalize_typed,
    perform,
    perform_typed,
)

from .substitutions import FindPackagePrefix, FindPackageShare

_SCALARS = (bool, int, float, str)


def write_temporary_yaml(content: str) -> str:
    """The path of a file that lives as long as this process (nodes may be respawned)."""
    with tempfile.NamedTemporaryFile(
        'w', prefix='launch_params_', delete=False, encoding='utf-8'
    ) as file:
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
        self._is_list = get_origin(value_type) is list
        self._item_type = get_args(value_type)[0] if self._is_list else value_type
        if self._item_type not in (None, *_SCALARS):
            raise TypeError(f'value_type {value_type!r}: expected bool, int, float, str or a list')
        self._value = value

    def evaluate(self, context) -> Any:
        """The value; ValueError if it is not of the type."""
        if not self._is_list:
            return self._convert(_expand(context, self._value))
        if isinstance(self._value, (str, Substitution)):
            items = yaml.safe_load(_expand(context, self._value))
        else:
            items = [_expand(context, item) for item in self._value]
        if not isinstance(items, list):
            raise ValueError(f'expected a list, got {items!r}')
        return [self._convert(item) for item in items]

    def _convert(self, value: Any) -> Any:
        wanted = self._item_type
        if isinstance(value, str) and wanted is not str:
            value = yaml.safe_load(value)
        if wanted is float and type(value) is int:
            return float(value)
        if wanted is not None and type(value) is not wanted:
            raise ValueError(f'expected {wanted.__name__}, got {value!r}')
        return value


def _expand(context, value: Any) -> Any:
    """Text from text and substitutions; other values, and lists of other values, as they are."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    if parts and all(isinstance(part, (str, Substitution)) for part in parts):
        return perform(context, normalize(parts))
    return list(value) if isinstance(value, tuple) else value


class ParameterFile:
    """A parameter file; with `allow_substs` every `$(…)` in it is replaced by its text."""

    def __init__(self, param_file: Any, *, allow_substs: Any = False) -> None:
        self._param_file = normalize(param_file)
        self._allow_substs = normalize_typed(allow_substs, bool)

    def evaluate(self, context) -> Path:
        """The path of the file, or of a temporary one with the substitutions performed."""
        path = Path(perform(context, self._param_file))
        if not perform_typed(context, self._allow_substs, bool):
            return path
        # In the text, before YAML is read: quotes around a substitution decide its type.
        text, count = path.read_text(encoding='utf-8'), 1
        while count:  # what is innermost first
            text, count = _INNERMOST.subn(lambda match: _perform(context, match[1]), text)
        if '$(' in text:
            raise SubstitutionFailure(f'unfinished substitution: {text[text.index("$(") :][:60]!r}')
        return Path(write_temporary_yaml(text))


_INNERMOST = re.compile(r'\$\(([^()$]*)\)')
#: The class of each substitution in a parameter file, and the keyword of its default.
_FILE_SUBSTITUTIONS = {
    'var': (LaunchConfiguration, 'default'),
    'env': (EnvironmentVariable, 'default_value'),
    'find-pkg-share': (FindPackageShare, None),
    'find-pkg-prefix': (FindPackagePrefix, None),
    'dirname': (ThisLaunchFileDir, None),
}


def _perform(context, content: str) -> str:
    name, *arguments = content.split(maxsplit=2)
    arguments = [argument.strip('\'"') for argument in arguments]
    if name not in _FILE_SUBSTITUTIONS:
        raise SubstitutionFailure(outside(f'the substitution $({content})'))
    substitution, default = _FILE_SUBSTITUTIONS[name]
    if len(arguments) == 2 and default is not None:
        return substitution(arguments[0], **{default: arguments[1]}).perform(context)
    if len(arguments) != (name != 'dirname'):
        raise SubstitutionFailure(f'$({content}): wrong number of arguments')
    return substitution(*arguments).perform(context)


class _Text:
    """Substitutions whose joined text is read as YAML."""

    def __init__(self, value: Any) -> None:
        self.subs = normalize(value)


def normalize_parameters(parameters: Sequence[Any]) -> list[Any]:
    """Check types before anything is launched: ParameterFile and lists of (name, value) pairs."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise TypeError(f'Expecting list of parameters, got {parameters}')
    return [
        normalize_parameter_dict(entry)
        if isinstance(entry, Mapping)
        else entry
        if isinstance(entry, ParameterFile)
        else ParameterFile(entry)
        for entry in parameters
    ]


def normalize_parameter_dict(parameters: Mapping[Any, Any]) -> list[tuple[list, Any]]:
    """Flat (name, value) pairs; the name is a list of substitutions."""
    pairs = []
    for key, value in parameters.items():
        name = normalize(key)
        if isinstance(value, Mapping):
            dot = normalize('.')
            pairs += [(name + dot + inner, v) for inner, v in normalize_parameter_dict(value)]
        else:
            pairs.append((name, _normalize_value(key, value)))
    return pairs


def _normalize_value(name: Any, value: Any) -> Any:
    if isinstance(value, (*_SCALARS, ParameterValue)):
        return value
    if isinstance(value, Substitution):
        return _Text(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return _normalize_sequence(value)
    raise TypeError(f'Unexpected type for the value of parameter {name!r}: {value!r}')


def _normalize_sequence(value: Sequence[Any]) -> Any:
    """A list of numbers, of booleans or of texts; or one text made of parts.

    Text parts with at least one bare substitution among them are one text: put each item into a
    list of its own to get a list of texts.
    """
    kinds = {type(item) if isinstance(item, _SCALARS) else None for item in value}
    if kinds in ({int}, {bool}, {str}):
        return list(value)
    if kinds and kinds <= {int, float}:
        return [float(item) for item in value]
    if any(isinstance(item, Substitution) for item in value):
        if all(isinstance(item, (str, Substitution)) for item in value):
            return _Text(value)
    return [
        _Text(yaml.safe_dump(item).removesuffix('...\n') if isinstance(item, _SCALARS) else item)
        for item in value
    ]


def evaluate_parameters(context, parameters: Sequence[Any]) -> list[Path | dict]:
    """Paths of files and dicts of values, in order."""
    return [
        entry.evaluate(context)
        if isinstance(entry, ParameterFile)
        else evaluate_parameter_dict(context, entry)
        for entry in parameters
    ]


def evaluate_parameter_dict(context, parameters: list[tuple]) -> dict[str, Any]:
    """Normalized (name, value) pairs as a flat dict of plain values."""
    evaluated = {}
    for name_subs, value in parameters:
        name = perform(context, name_subs)
        evaluated[name] = _evaluate_value(context, name, value)
    return evaluated


def _evaluate_value(context, name: str, value: Any) -> Any:
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, _Text):
        return _read_yaml(name, perform(context, value.subs))
    if isinstance(value, list):
        return _check_uniform(name, [_evaluate_value(context, name, item) for item in value])
    return value


def _read_yaml(name: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text) if text else ''
    except yaml.YAMLError:
        value = None
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, list):
        return _check_uniform(name, value)
    raise TypeError(
        f'Parameter {name!r}: {text!r} is no value in YAML; if it is meant to be a string, wrap it '
        'in launch_ros.parameter_descriptions.ParameterValue(value, value_type=str)'
    )


def _check_uniform(name: str, items: list[Any]) -> list[Any]:
    kinds = {type(item) for item in items}
    if len(kinds) != 1 or not kinds <= set(_SCALARS):
        raise TypeError(
            f'Expected a non-empty sequence, with items of uniform type (bool, int, float or '
            f'str). Got {items!r} for {name!r}'
        )
    return items
