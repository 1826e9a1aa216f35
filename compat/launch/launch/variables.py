# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Actions on launch configurations and environment variables, and their scopes."""

import os

from . import logging
from .action import Action
from .utilities import (
    LaunchDescriptionEntity,
    SomeSubstitutionsType,
    normalize,
    normalize_typed,
    perform,
    perform_typed,
)


class SetLaunchConfiguration(Action):
    _variables = 'launch_configurations'

    def __init__(self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self.name = normalize(name)
        self.value = normalize(value)

    def execute(self, context) -> None:
        name = perform(context, self.name)
        getattr(context, self._variables)[name] = perform(context, self.value)


class SetEnvironmentVariable(SetLaunchConfiguration):
    _variables = 'environment'


class UnsetLaunchConfiguration(Action):
    """Unsetting what is not set is no error."""

    _variables = 'launch_configurations'

    def __init__(self, name: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self.name = normalize(name)

    def execute(self, context) -> None:
        getattr(context, self._variables).pop(perform(context, self.name), None)


class UnsetEnvironmentVariable(UnsetLaunchConfiguration):
    _variables = 'environment'


class AppendEnvironmentVariable(SetEnvironmentVariable):
    """Appends (or prepends) to a value that is there, with a separator between; else sets."""

    def __init__(self, name, value, prepend=False, separator=os.pathsep, **kwargs) -> None:
        super().__init__(name, value, **kwargs)
        self.prepend = normalize_typed(prepend, bool)
        self.separator = normalize(separator)

    def execute(self, context) -> None:
        name = perform(context, self.name)
        present = context.environment.get(name)
        super().execute(context)
        if present is not None:
            parts = [present, context.environment[name]]
            if perform_typed(context, self.prepend, bool):
                parts.reverse()
            context.environment[name] = perform(context, self.separator).join(parts)


class DeclareLaunchArgument(Action):
    """Makes sure that the launch configuration `name` is set, and to one of `choices`."""

    def __init__(
        self, name, *, default_value=None, description=None, choices=None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.default_value = normalize(default_value)
        self.choices = choices
        self.description = description or 'no description given'
        if choices is not None:
            self.description = f'One of: {choices}'
            if description is not None:
                self.description = f'{description.rstrip(".")}. Valid choices are: {choices}'
            if not choices:
                raise self._error('Provided choices arg is empty. Use None to ignore it.')
            if isinstance(default_value, str) and default_value not in choices:
                raise self._error(
                    f'Provided default_value "{default_value}" is not in provided choices '
                    f'"{choices}".'
                )
        self.is_conditional = False  # set by LaunchDescription.get_launch_arguments

    @staticmethod
    def _error(message: str) -> RuntimeError:
        logging.get_logger('launch').error(message)
        return RuntimeError(message)

    def execute(self, context) -> None:
        configurations = context.launch_configurations
        if self.name not in configurations:
            if self.default_value is None:
                raise self._error(
                    f'Required launch argument "{self.name}" (description: '
                    f'"{self.description}") was not provided.'
                )
            configurations[self.name] = perform(context, self.default_value)
        value = configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise self._error(
                f'Argument "{self.name}" provided value "{value}" is not valid. '
                f'Valid options are: {self.choices}'
            )


class _Scope(Action):
    """Saves launch configurations and environment, or restores them."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self._method = method

    def execute(self, context) -> None:
        getattr(context, self._method)()


class ResetLaunchConfigurations(Action):
    """Forgets the launch configurations, and restores the environment of the launch's start."""

    def execute(self, context) -> None:
        context.launch_configurations.clear()
        context._reset_environment()


class GroupAction(Action):
    """With `scoped`, launch configurations and environment are as before when it ends.

    `forwarding=False` starts it with none but `launch_configurations`.
    """

    def __init__(
        self, actions, *, scoped=True, forwarding=True, launch_configurations=None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        given = (launch_configurations or {}).items()
        content = [*(SetLaunchConfiguration(name, value) for name, value in given), *actions]
        if scoped and not forwarding:
            content.insert(0, ResetLaunchConfigurations())
        if scoped:
            content = [_Scope('_push_scope'), *content, _Scope('_pop_scope')]
        self._content = content

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self._content

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        return self._content
