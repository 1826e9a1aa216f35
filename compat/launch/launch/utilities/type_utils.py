# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Values that may be given as substitutions and are needed as bool, int or float."""

from typing import Any

import yaml

from ..substitution import Substitution
from . import normalize_to_list_of_substitutions, perform_substitutions


def normalize_typed_substitution(value: Any, data_type: type) -> Any:
    """A value of the type as it is; text and substitutions as a list of substitutions."""
    if isinstance(value, data_type) and not isinstance(value, (str, list)):
        return value
    if data_type is float and type(value) is int:
        return float(value)
    if isinstance(value, (bool, int, float)):
        raise TypeError(f'expected {data_type.__name__} or a substitution, got {value!r}')
    return normalize_to_list_of_substitutions(value)


def perform_typed_substitution(context, value: Any, data_type: type) -> Any:
    """The value as `data_type`, text being read as YAML reads a scalar."""
    if not isinstance(value, (list, tuple, Substitution)):
        return value
    subs = [value] if isinstance(value, Substitution) else value
    return coerce_to_type(perform_substitutions(context, subs), data_type)


def coerce_to_type(text: str, data_type: type) -> Any:
    """Read `text` as bool, int, float or str; ValueError if it is something else."""
    if data_type is str:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"failed to read '{text}' as {data_type.__name__}") from error
    if data_type is float and type(value) is int:
        value = float(value)
    if type(value) is not data_type:
        raise ValueError(f"failed to read '{text}' as {data_type.__name__}")
    return value
