# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The path of a program."""

import shutil

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from .substitution_failure import SubstitutionFailure


class FindExecutable(Substitution):
    """Looks the name up on PATH."""

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        self._name = normalize_to_list_of_substitutions(name)

    @property
    def name(self) -> list[Substitution]:
        return self._name

    def describe(self) -> str:
        return f'FindExec({describe_substitutions(self._name)})'

    def perform(self, context) -> str:
        name = perform_substitutions(context, self._name)
        found = shutil.which(name)
        if found is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return found
