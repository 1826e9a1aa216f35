# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading text as a condition."""

from collections.abc import Iterable

from ..substitution import Substitution
from ..utilities import describe_substitutions, perform_substitutions
from .invalid_condition_expression_error import InvalidConditionExpressionError

_MEANINGS = {'true': True, '1': True, 'false': False, '0': False}


def evaluate_condition_expression(context, expression: Iterable[Substitution]) -> bool:
    """true, 1, false or 0, in any case and with blanks around; else an error."""
    expression = list(expression)
    text = perform_substitutions(context, expression).strip().lower()
    if text not in _MEANINGS:
        raise InvalidConditionExpressionError(
            f"invalid condition expression, expanded '{describe_substitutions(expression)}' "
            f"into '{text}', but expected one of: {', '.join(_MEANINGS)}"
        )
    return _MEANINGS[text]
