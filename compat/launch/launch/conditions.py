# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Conditions of actions."""

from .utilities import describe, normalize, perform

_MEANINGS = {'true': True, '1': True, 'false': False, '0': False}


class IfCondition:
    """Holds when the expression is true or 1, in any case and with blanks around."""

    def __init__(self, predicate_expression) -> None:
        self._expression = normalize(predicate_expression)

    def evaluate(self, context) -> bool:
        text = perform(context, self._expression).strip().lower()
        if text not in _MEANINGS:
            raise ValueError(
                f"invalid condition expression, expanded '{describe(self._expression)}' "
                f"into '{text}', but expected one of: {', '.join(_MEANINGS)}"
            )
        return _MEANINGS[text]


class UnlessCondition(IfCondition):
    """Holds when the expression is false or 0."""

    def evaluate(self, context) -> bool:
        return not super().evaluate(context)
