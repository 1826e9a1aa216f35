# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes: checked when the launch file describes them, evaluated while launching.

A dict may nest (joined by dots) and may hold plain values, lists of one kind, and substitutions.
Text given as such stays text; the text of a substitution is read as YAML, unless it is wrapped in
ParameterValue with a type.
"""

import atexit
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from launch.utilities import Substitution, normalize, perform, perform_typed

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
    """A value as `value_type` (bool, int, float or str); without one its text is read as YAML."""

    def __init__(self, value: Any, *, value_type: 'type | None' = None) -> None:
        if value_type not in (None, *_SCALARS):
            raise TypeError(f'value_type {value_type!r}: expected bool, int, float or str')
        self._value = value if isinstance(value, _SCALARS[:3]) else normalize(value)
        self._type = value_type

    def evaluate(self, context, name: str) -> Any:
        """The value; ValueError if it is not of the type."""
        try:
            if self._type is not None:
                return perform_typed(context, self._value, self._type)
        except ValueError as error:
            raise ValueError(f'parameter {name!r}: {error}') from None
        if isinstance(self._value, list):
            return _read_yaml(name, perform(context, self._value))
        return self._value


def normalize_parameters(parameters: Sequence[Any]) -> list[Any]:
    """Check types before anything is launched: paths and lists of (name, value) pairs."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise TypeError(f'Expecting list of parameters, got {parameters}')
    return [
        (_normalize_dict(entry), None) if isinstance(entry, Mapping) else (None, normalize(entry))
        for entry in parameters
    ]


def _normalize_dict(parameters: Mapping[Any, Any]) -> list[tuple[list, Any]]:
    """Flat (name, value) pairs; the name is a list of substitutions."""
    pairs = []
    for key, value in parameters.items():
        name = normalize(key)
        if isinstance(value, Mapping):
            dot = normalize('.')
            pairs += [(name + dot + inner, item) for inner, item in _normalize_dict(value)]
        else:
            pairs.append((name, _normalize_value(key, value)))
    return pairs


def _normalize_value(name: Any, value: Any) -> Any:
    if isinstance(value, (*_SCALARS, ParameterValue)):
        return value
    if isinstance(value, Substitution):
        return ParameterValue(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return _normalize_sequence(value)
    raise TypeError(f'Unexpected type for the value of parameter {name!r}: {value!r}')


def _normalize_sequence(value: Sequence[Any]) -> Any:
    """A list of numbers, of booleans or of texts; or one text made of parts.

    Text parts with at least one bare substitution among them are one text: put each item into a
    list of its own to get a list of texts.
    """
    kinds = {type(item) for item in value}
    if kinds == {int, float}:
        return [float(item) for item in value]
    if any(isinstance(item, Substitution) for item in value):
        return ParameterValue(value)
    return [item if isinstance(item, _SCALARS) else ParameterValue(item) for item in value]


def evaluate_parameters(context, parameters: list[tuple]) -> list[Path | dict]:
    """Paths of files and dicts of values, in order."""
    return [
        Path(perform(context, path)) if pairs is None else _evaluate_dict(context, pairs)
        for pairs, path in parameters
    ]


def _evaluate_dict(context, pairs: list[tuple]) -> dict[str, Any]:
    values = {}
    for name_subs, value in pairs:
        name = perform(context, name_subs)
        values[name] = _evaluate_value(context, name, value)
    return values


def _evaluate_value(context, name: str, value: Any) -> Any:
    if isinstance(value, ParameterValue):
        return value.evaluate(context, name)
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
