# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A condition that holds when an expression is true."""

from ..condition import Condition
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import describe_substitutions, normalize_to_list_of_substitutions
from .evaluate_condition_expression_impl import evaluate_condition_expression


class IfCondition(Condition):
    """The expression must come out as true, 1, false or 0."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        self._expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=self._holds)

    def _holds(self, context) -> bool:
        return evaluate_condition_expression(context, self._expression)

    def describe(self) -> str:
        return f'IfCondition({describe_substitutions(self._expression)})'
