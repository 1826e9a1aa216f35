# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A launch file's arguments."""

from .. import logging
from ..action import Action
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions


class DeclareLaunchArgument(Action):
    """Makes sure that the launch configuration `name` is set, and to one of `choices`."""

    def __init__(
        self,
        name: str,
        *,
        default_value: 'SomeSubstitutionsType | None' = None,
        description: 'str | None' = None,
        choices: 'list[str] | None' = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if choices is not None:
            if len(choices) == 0:
                raise self._complaint(
                    'Provided choices arg is empty. Use None to ignore the choice list.'
                )
            if isinstance(default_value, str) and default_value not in choices:
                raise self._complaint(
                    f'Provided default_value "{default_value}" is not in provided choices '
                    f'"{choices}".'
                )
        self._name = name
        self._default_value = (
            None if default_value is None else normalize_to_list_of_substitutions(default_value)
        )
        self._choices = choices
        self._description = self._describe_for_users(description, choices)
        self._conditionally_included = False  # set by LaunchDescription.get_launch_arguments

    @staticmethod
    def _describe_for_users(description: 'str | None', choices: 'list[str] | None') -> str:
        if description is None:
            return 'no description given' if choices is None else f'One of: {choices}'
        if choices is None:
            return description
        stop = '' if description.endswith('.') else '.'
        return f'{description}{stop} Valid choices are: {choices}'

    @staticmethod
    def _complaint(message: str) -> RuntimeError:
        logging.get_logger('launch').error(message)
        return RuntimeError(message)

    @property
    def name(self) -> str:
        return self._name

    @property
    def default_value(self) -> 'list[Substitution] | None':
        return self._default_value

    @property
    def description(self) -> str:
        return self._description

    @property
    def choices(self) -> 'list[str] | None':
        return self._choices

    def describe(self) -> str:
        return f"DeclareLaunchArgument('{self._name}')"

    def execute(self, context) -> None:
        configurations = context.launch_configurations
        if self._name not in configurations:
            if self._default_value is None:
                logging.get_logger('launch').error(
                    f'Required launch argument "{self._name}" '
                    f'(description: "{self._description}") was not provided'
                )
                raise RuntimeError(f'Required launch argument "{self._name}" was not provided.')
            configurations[self._name] = perform_substitutions(context, self._default_value)
        value = configurations[self._name]
        if self._choices is not None and value not in self._choices:
            raise self._complaint(
                f'Argument "{self._name}" provided value "{value}" is not valid. '
                f'Valid options are: {self._choices}'
            )
