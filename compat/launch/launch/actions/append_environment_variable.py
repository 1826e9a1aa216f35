# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Adding to an environment variable."""

import os

from ..action import Action
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class AppendEnvironmentVariable(Action):
    """Appends (or prepends) to what is there, with a separator between; else sets."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: SomeSubstitutionsType,
        prepend: bool | SomeSubstitutionsType = False,
        separator: SomeSubstitutionsType = os.pathsep,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = normalize_to_list_of_substitutions(value)
        self.prepend = normalize_typed_substitution(prepend, bool)
        self.separator = normalize_to_list_of_substitutions(separator)

    def execute(self, context) -> None:
        name = perform_substitutions(context, self.name)
        value = perform_substitutions(context, self.value)
        if name in context.environment:
            parts = [context.environment[name], value]
            if perform_typed_substitution(context, self.prepend, bool):
                parts.reverse()
            value = perform_substitutions(context, self.separator).join(parts)
        context.environment[name] = value
