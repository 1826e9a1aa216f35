# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Node parameters as given in a launch file, checked at once and evaluated while launching.

A dict may nest (joined by dots) and may hold plain values, lists of one kind, and substitutions.
Text given as such stays text; what a substitution gives is read as YAML, unless it is wrapped in
ParameterValue with a type.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import Substitution

from ..parameter_descriptions import Parameter, ParameterFile, ParameterValue

_SCALARS = (bool, int, float, str)


class _Text:
    """Substitutions whose joined text is read as YAML."""

    def __init__(self, value: Any) -> None:
        self.subs = normalize_to_list_of_substitutions(value)


def normalize_parameters(parameters: Sequence[Any]) -> list[Any]:
    """Check types before anything is launched; evaluate_parameters takes the result."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise TypeError(f'Expecting list of parameters, got {parameters}')
    return [_normalize_entry(entry) for entry in parameters]


def _normalize_entry(entry: Any) -> Any:
    if isinstance(entry, Mapping):
        return normalize_parameter_dict(entry)
    if isinstance(entry, (Parameter, ParameterFile)):
        return entry
    return ParameterFile(entry)


def normalize_parameter_dict(parameters: Mapping[Any, Any]) -> list[tuple[list, Any]]:
    """Flat (name, value) pairs; the name is a list of substitutions."""
    pairs = []
    for key, value in parameters.items():
        name = normalize_to_list_of_substitutions(key)
        if isinstance(value, Mapping):
            dot = normalize_to_list_of_substitutions('.')
            pairs += [(name + dot + inner, v) for inner, v in normalize_parameter_dict(value)]
        else:
            pairs.append((name, _normalize_value(key, value)))
    return pairs


def _normalize_value(name: Any, value: Any) -> Any:
    if isinstance(value, (*_SCALARS, bytes, ParameterValue)):
        return value
    if isinstance(value, Substitution):
        return _Text(value)
    if isinstance(value, Sequence):
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


def evaluate_parameters(context, parameters: Sequence[Any]) -> list[Path | dict | Parameter]:
    """Paths of files, dicts of values, and Parameter objects, in order."""
    evaluated = []
    for entry in parameters:
        if isinstance(entry, ParameterFile):
            evaluated.append(entry.evaluate(context))
        elif isinstance(entry, Parameter):
            evaluated.append(entry)
        else:
            evaluated.append(evaluate_parameter_dict(context, entry))
    return evaluated


def evaluate_parameter_dict(context, parameters: Any) -> dict[str, Any]:
    """Normalised (name, value) pairs (or a dict as given) as a flat dict of plain values."""
    if isinstance(parameters, Mapping):
        parameters = normalize_parameter_dict(parameters)
    evaluated = {}
    for name_subs, value in parameters:
        name = perform_substitutions(context, name_subs)
        evaluated[name] = _evaluate_value(context, name, value)
    return evaluated


def _evaluate_value(context, name: str, value: Any) -> Any:
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, _Text):
        return _read_yaml(name, perform_substitutions(context, value.subs))
    if isinstance(value, list):
        items = [_evaluate_value(context, name, item) for item in value]
        return _check_uniform(name, items)
    return value


def _read_yaml(name: str, text: str) -> Any:
    wrap = (
        f'Parameter {name!r}: if it is meant to be a string, wrap it in '
        'launch_ros.parameter_descriptions.ParameterValue(value, value_type=str)'
    )
    if text == '':
        return ''
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TypeError(f'Unable to parse {text!r} as yaml. {wrap}') from error
    if isinstance(value, (*_SCALARS, bytes)):
        return value
    if isinstance(value, list):
        return _check_uniform(name, value)
    raise TypeError(f'Got {type(value).__name__} from {text!r}. {wrap}')


def _check_uniform(name: str, items: list[Any]) -> list[Any]:
    kinds = {type(item) for item in items}
    if len(kinds) != 1 or not kinds <= set(_SCALARS):
        raise TypeError(
            f'Expected a non-empty sequence, with items of uniform type (bool, int, float or '
            f'str). Got {items!r} for {name!r}'
        )
    return items
