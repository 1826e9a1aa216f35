# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A condition on the value of a launch configuration."""

from ..condition import Condition
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions


class LaunchConfigurationEquals(Condition):
    """Holds when the configuration has the value; for None, when it is not set.

    Deprecated in the real package in favour of IfCondition(EqualsSubstitution(…)).
    """

    def __init__(
        self,
        launch_configuration_name: str,
        expected_value: 'SomeSubstitutionsType | None',
    ) -> None:
        self._name = launch_configuration_name
        self._expected = (
            None if expected_value is None else normalize_to_list_of_substitutions(expected_value)
        )
        super().__init__(predicate=self._holds)

    def _holds(self, context) -> bool:
        expected = (
            None if self._expected is None else perform_substitutions(context, self._expected)
        )
        return context.launch_configurations.get(self._name) == expected

    def describe(self) -> str:
        return f'{type(self).__name__}({self._name})'
