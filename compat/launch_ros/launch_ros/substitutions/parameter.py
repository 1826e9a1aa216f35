# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A parameter that SetParameter has set."""

from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import SomeSubstitutionsType, Substitution


class Parameter(Substitution):
    """The last value set in this scope, as text."""

    def __init__(
        self, name: SomeSubstitutionsType, *, default: 'SomeSubstitutionsType | None' = None
    ) -> None:
        self._name = normalize_to_list_of_substitutions(name)
        self._default = None if default is None else normalize_to_list_of_substitutions(default)

    @property
    def name(self) -> list[Substitution]:
        return self._name

    def perform(self, context) -> str:
        name = perform_substitutions(context, self._name)
        for entry in reversed(context.launch_configurations.get('global_params', [])):
            if isinstance(entry, tuple) and entry[0] == name:
                return str(entry[1])
        if self._default is None:
            raise SubstitutionFailure(f"parameter '{name}' not found")
        return perform_substitutions(context, self._default)
