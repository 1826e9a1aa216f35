# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Conditions of actions."""

from collections.abc import Callable, Iterable

from .utilities import (
    SomeSubstitutionsType,
    Substitution,
    describe,
    normalize,
    perform,
)

_MEANINGS = {'true': True, '1': True, 'false': False, '0': False}


class InvalidConditionExpressionError(ValueError):
    """The expression of a condition is neither true nor false."""


def evaluate_condition_expression(context, expression: Iterable[Substitution]) -> bool:
    """true, 1, false or 0, in any case and with blanks around; else an error."""
    text = perform(context, expression).strip().lower()
    if text not in _MEANINGS:
        raise InvalidConditionExpressionError(
            f"invalid condition expression, expanded '{describe(expression)}' "
            f"into '{text}', but expected one of: {', '.join(_MEANINGS)}"
        )
    return _MEANINGS[text]


class Condition:
    """A predicate over the launch context."""

    def __init__(self, *, predicate: 'Callable[[object], bool] | None' = None) -> None:
        self._predicate = predicate

    def evaluate(self, context) -> bool:
        return self._predicate(context)


class IfCondition(Condition):
    """Holds when the expression is true."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        self._expression = normalize(predicate_expression)

    def evaluate(self, context) -> bool:
        return evaluate_condition_expression(context, self._expression)


class UnlessCondition(IfCondition):
    """Holds when the expression is false."""

    def evaluate(self, context) -> bool:
        return not super().evaluate(context)


class LaunchConfigurationEquals(Condition):
    """Holds when the configuration has the value; for None, when it is not set."""

    def __init__(self, launch_configuration_name, expected_value) -> None:
        self._name = launch_configuration_name
        self._expected = normalize(expected_value)

    def evaluate(self, context) -> bool:
        expected = self._expected and perform(context, self._expected)
        return context.launch_configurations.get(self._name) == expected


class LaunchConfigurationNotEquals(LaunchConfigurationEquals):
    """Holds when the configuration has another value; for None, when it is set."""

    def evaluate(self, context) -> bool:
        return not super().evaluate(context)
