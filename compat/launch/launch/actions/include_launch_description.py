# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Another launch description inside this one."""

import os
from collections.abc import Iterable

from ..action import Action
from ..launch_context import LaunchContext
from ..launch_description_entity import LaunchDescriptionEntity
from ..launch_description_source import LaunchDescriptionSource
from ..launch_description_sources import AnyLaunchDescriptionSource
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from .set_launch_configuration import SetLaunchConfiguration


class IncludeLaunchDescription(Action):
    """Sets `launch_arguments` as launch configurations, then visits the description.

    Not a scope: what is set in there stays set afterwards. Wrap it in a GroupAction for one.
    """

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: 'Iterable[tuple] | None' = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(launch_description_source, LaunchDescriptionSource):
            launch_description_source = AnyLaunchDescriptionSource(launch_description_source)
        self._source = launch_description_source
        self._launch_arguments = tuple(launch_arguments or ())

    @property
    def launch_description_source(self) -> LaunchDescriptionSource:
        return self._source

    @property
    def launch_arguments(self) -> tuple:
        return self._launch_arguments

    def describe(self) -> str:
        return f'IncludeLaunchDescription({self._source.location})'

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        description = self._source.try_get_launch_description_without_context()
        return [] if description is None else [description]

    def _argument_names(self, context) -> list[str]:
        return [
            perform_substitutions(context, normalize_to_list_of_substitutions(name))
            for name, _ in self._launch_arguments
        ]

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        description = self._source.get_launch_description(context)
        path = os.path.abspath(self._source.location)
        is_file = os.path.exists(path)
        context.extend_locals(
            {
                'current_launch_file_path': path,
                'current_launch_file_directory': (
                    os.path.dirname(path) if is_file else self._source.location
                ),
            }
        )
        self._check_required_arguments(context, description)
        setters = [SetLaunchConfiguration(name, value) for name, value in self._launch_arguments]
        return [*setters, description]

    def _check_required_arguments(self, context, description) -> None:
        """Refuse before anything is started, where it can be known; later visits will, too."""
        given = self._argument_names(context)
        found = description.get_launch_arguments_with_include_launch_description_actions()
        for argument, includes in found:
            if argument._conditionally_included or argument.default_value is not None:
                continue
            # An include inside may give the argument itself.
            inner = []
            for include in includes or ():
                try:
                    inner += include._argument_names(LaunchContext())
                except Exception:  # a name that needs this launch's configurations
                    return
            if argument.name not in given + inner:
                raise RuntimeError(
                    f"Included launch description missing required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: [{', '.join(given)}]"
                )
