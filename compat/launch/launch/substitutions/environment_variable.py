# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The value of an environment variable."""

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from .substitution_failure import SubstitutionFailure


class EnvironmentVariable(Substitution):
    """Without `default_value` an unset variable is a SubstitutionFailure."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        *,
        default_value: 'SomeSubstitutionsType | None' = None,
    ) -> None:
        self._name = normalize_to_list_of_substitutions(name)
        self._default_value = (
            None if default_value is None else normalize_to_list_of_substitutions(default_value)
        )

    @property
    def name(self) -> list[Substitution]:
        return self._name

    @property
    def default_value(self) -> 'list[Substitution] | None':
        return self._default_value

    def describe(self) -> str:
        return f'EnvVar({describe_substitutions(self._name)})'

    def perform(self, context) -> str:
        name = perform_substitutions(context, self._name)
        value = context.environment.get(name)
        if value is not None:
            return value
        if self._default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_substitutions(context, self._default_value)
