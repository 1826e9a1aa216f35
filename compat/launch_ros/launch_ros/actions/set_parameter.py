# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Parameters for all the nodes that follow in this scope."""

from typing import Any

from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import Action, SomeSubstitutionsType, Substitution

from ..utilities.parameters import evaluate_parameter_dict, normalize_parameter_dict


def _add_global(context, entries: list) -> None:
    # A new list: an enclosing scope keeps its own.
    present = context.launch_configurations.get('global_params', [])
    context.launch_configurations['global_params'] = [*present, *entries]


class SetParameter(Action):
    """One parameter; a node's own parameters come after it and win."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **kwargs) -> None:
        super().__init__(**kwargs)
        self._pairs = normalize_parameter_dict(
            {tuple(normalize_to_list_of_substitutions(name)): value}
        )

    @property
    def name(self) -> list[Substitution]:
        return self._pairs[0][0]

    @property
    def value(self) -> Any:
        return self._pairs[0][1]

    def execute(self, context) -> None:
        _add_global(context, list(evaluate_parameter_dict(context, self._pairs).items()))


class SetUseSimTime(SetParameter):
    """The parameter use_sim_time."""

    def __init__(self, value: Any, **kwargs) -> None:
        super().__init__('use_sim_time', value, **kwargs)


class SetParametersFromFile(Action):
    """A parameter file."""

    def __init__(self, filename: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self._filename = normalize_to_list_of_substitutions(filename)

    def execute(self, context) -> None:
        _add_global(context, [perform_substitutions(context, self._filename)])
