# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The value of a launch configuration: a launch argument, or something set on the way."""

import collections.abc
from typing import Any

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from .substitution_failure import SubstitutionFailure


class LaunchConfiguration(Substitution):
    """`default` may be of any type: what is not text or a substitution becomes text."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        self._variable_name = normalize_to_list_of_substitutions(variable_name)
        self._default: list[Substitution] | None = None
        if default is not None:
            several = isinstance(default, collections.abc.Iterable) and not isinstance(default, str)
            self._default = normalize_to_list_of_substitutions(
                [
                    item if isinstance(item, (str, Substitution)) else str(item)
                    for item in (default if several else [default])
                ]
            )

    @property
    def variable_name(self) -> list[Substitution]:
        return self._variable_name

    def describe(self) -> str:
        return f'LaunchConfig({describe_substitutions(self._variable_name)})'

    def perform(self, context) -> str:
        name = perform_substitutions(context, self._variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self._default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_substitutions(context, self._default)
