# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether two texts mean the same."""

import math
from typing import Any

from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

_BOOLEANS = {'true': True, '1': True, 'false': False, '0': False}


def as_substitutions(value: Any) -> list[Substitution]:
    """None is the empty text, booleans are in lower case, other values as str() gives them."""
    if isinstance(value, Substitution):
        return [value]
    if isinstance(value, (list, tuple)):
        return normalize_to_list_of_substitutions(value)
    if value is None:
        return normalize_to_list_of_substitutions('')
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return normalize_to_list_of_substitutions(text)


def mean_the_same(left: str, right: str) -> bool:
    """Compare as booleans if both are, else as close numbers if both are, else as texts."""
    if left.lower() in _BOOLEANS and right.lower() in _BOOLEANS:
        return _BOOLEANS[left.lower()] == _BOOLEANS[right.lower()]
    try:
        return math.isclose(float(left), float(right))
    except ValueError:
        return left == right


class EqualsSubstitution(Substitution):
    """'true' or 'false'."""

    _negated = False

    def __init__(self, left: Any, right: Any) -> None:
        self._left = as_substitutions(left)
        self._right = as_substitutions(right)

    @property
    def left(self) -> list[Substitution]:
        return self._left

    @property
    def right(self) -> list[Substitution]:
        return self._right

    def describe(self) -> str:
        left, right = describe_substitutions(self._left), describe_substitutions(self._right)
        return f'{type(self).__name__}({left} {right})'

    def perform(self, context) -> str:
        same = mean_the_same(
            perform_substitutions(context, self._left), perform_substitutions(context, self._right)
        )
        return 'true' if same != self._negated else 'false'
