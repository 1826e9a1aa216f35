# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""and, or, not: of texts that YAML reads as booleans, giving 'true' or 'false'."""

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import describe_substitutions, normalize_to_list_of_substitutions
from ..utilities.type_utils import perform_typed_substitution
from .substitution_failure import SubstitutionFailure


def perform_boolean(context, value: list[Substitution]) -> bool:
    try:
        return perform_typed_substitution(context, value, bool)
    except (TypeError, ValueError) as error:
        raise SubstitutionFailure(str(error)) from error


class NotSubstitution(Substitution):
    def __init__(self, value: SomeSubstitutionsType) -> None:
        self._value = normalize_to_list_of_substitutions(value)

    @property
    def value(self) -> list[Substitution]:
        return self._value

    def describe(self) -> str:
        return f'NotSubstitution({describe_substitutions(self._value)})'

    def perform(self, context) -> str:
        return str(not perform_boolean(context, self._value)).lower()


class _Pair(Substitution):
    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        self._left = normalize_to_list_of_substitutions(left)
        self._right = normalize_to_list_of_substitutions(right)

    @property
    def left(self) -> list[Substitution]:
        return self._left

    @property
    def right(self) -> list[Substitution]:
        return self._right

    def describe(self) -> str:
        left, right = describe_substitutions(self._left), describe_substitutions(self._right)
        return f'{type(self).__name__}({left} {right})'

    def _both(self, context) -> tuple[bool, bool]:
        # Both are performed always, so that a mistake in the second shows at once.
        return perform_boolean(context, self._left), perform_boolean(context, self._right)


class AndSubstitution(_Pair):
    def perform(self, context) -> str:
        return str(all(self._both(context))).lower()


class OrSubstitution(_Pair):
    def perform(self, context) -> str:
        return str(any(self._both(context))).lower()
