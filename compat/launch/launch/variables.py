# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Actions on launch configurations and environment variables, and their scopes."""

from . import logging
from .action import Action
from .utilities import LaunchDescriptionEntity, normalize, perform


class SetLaunchConfiguration(Action):
    _variables = 'launch_configurations'

    def __init__(self, name, value, **kwargs) -> None:
        super().__init__(**kwargs)
        self.name = normalize(name)
        self.value = normalize(value)

    def execute(self, context) -> None:
        name = perform(context, self.name)
        getattr(context, self._variables)[name] = perform(context, self.value)


class SetEnvironmentVariable(SetLaunchConfiguration):
    _variables = 'environment'


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


class _EndOfScope(Action):
    def execute(self, context) -> None:
        context.pop_scope()


class GroupAction(Action):
    """With `scoped`, launch configurations and environment are as before when it ends."""

    def __init__(self, actions, *, scoped=True, **kwargs) -> None:
        super().__init__(**kwargs)
        self._actions = list(actions)
        self._scoped = scoped

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self._actions

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        if not self._scoped:
            return self._actions
        context.push_scope()
        return [*self._actions, _EndOfScope()]
