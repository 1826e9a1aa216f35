# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The text of an evaluated Python expression."""

import importlib
from collections.abc import Iterable

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)


class PythonExpression(Substitution):
    """Sees the named modules, and the contents of `math` without prefix if it is among them."""

    def __init__(
        self,
        expression: SomeSubstitutionsType,
        python_modules: Iterable[str | Substitution] = ('math',),
    ) -> None:
        self._expression = normalize_to_list_of_substitutions(expression)
        self._python_modules = normalize_to_list_of_substitutions(python_modules)

    @property
    def expression(self) -> list[Substitution]:
        return self._expression

    @property
    def python_modules(self) -> list[Substitution]:
        return self._python_modules

    def describe(self) -> str:
        modules = ', '.join(sub.describe() for sub in self._python_modules)
        return f'PythonExpr({describe_substitutions(self._expression)}, [{modules}])'

    def perform(self, context) -> str:
        names = {}
        for sub in self._python_modules:
            module = importlib.import_module(sub.perform(context))
            if module.__name__ == 'math':
                names.update(vars(module))
            names[module.__name__] = module
        # The launch file is code already: evaluating what it says adds no new power.
        return str(eval(perform_substitutions(context, self._expression), {}, names))
