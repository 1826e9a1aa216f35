# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Something from the context's locals."""

from ..substitution import Substitution


class LocalSubstitution(Substitution):
    """`expression` is what would follow `context.locals.` (such as 'event.reason')."""

    def __init__(self, expression: str, description: 'str | None' = None) -> None:
        self._expression = expression
        self._description = description

    @property
    def expression(self) -> str:
        return self._expression

    def describe(self) -> str:
        return f"LocalVar('{self._description or self._expression}')"

    def perform(self, context) -> str:
        return eval(f'context.locals.{self._expression}', {}, {'context': context})
