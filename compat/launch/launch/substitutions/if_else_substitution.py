# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One of two texts."""

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from .boolean_substitution import perform_boolean


class IfElseSubstitution(Substitution):
    """`if_value` when the condition is true, else `else_value`; at least one is needed."""

    def __init__(
        self,
        condition: SomeSubstitutionsType,
        if_value: SomeSubstitutionsType = '',
        else_value: SomeSubstitutionsType = '',
    ) -> None:
        if if_value == '' and else_value == '':
            raise RuntimeError('One of if_value and else_value must be specified')
        self._condition = normalize_to_list_of_substitutions(condition)
        self._if_value = normalize_to_list_of_substitutions(if_value)
        self._else_value = normalize_to_list_of_substitutions(else_value)

    @property
    def condition(self) -> list[Substitution]:
        return self._condition

    @property
    def if_value(self) -> list[Substitution]:
        return self._if_value

    @property
    def else_value(self) -> list[Substitution]:
        return self._else_value

    def describe(self) -> str:
        parts = (self._condition, self._if_value, self._else_value)
        return f'IfElseSubstitution({", ".join(describe_substitutions(part) for part in parts)})'

    def perform(self, context) -> str:
        chosen = self._if_value if perform_boolean(context, self._condition) else self._else_value
        return perform_substitutions(context, chosen)
