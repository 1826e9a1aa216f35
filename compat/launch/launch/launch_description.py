# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A list of entities, and the launch arguments declared in it."""

from collections.abc import Iterable

from . import logging
from .launch_description_entity import LaunchDescriptionEntity


class LaunchDescription(LaunchDescriptionEntity):
    """What a launch file returns."""

    def __init__(
        self,
        initial_entities: 'Iterable[LaunchDescriptionEntity] | None' = None,
        *,
        deprecated_reason: 'str | None' = None,
    ) -> None:
        self._entities = list(initial_entities) if initial_entities is not None else []
        self._deprecated_reason = deprecated_reason

    @property
    def entities(self) -> list[LaunchDescriptionEntity]:
        return self._entities

    @property
    def deprecated(self) -> bool:
        return self._deprecated_reason is not None

    @property
    def deprecated_reason(self) -> 'str | None':
        return self._deprecated_reason

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        self._entities.append(entity)

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        self.add_entity(action)

    def visit(self, context) -> list[LaunchDescriptionEntity]:
        if self._deprecated_reason is not None:
            where = context.get_locals_as_dict().get('current_launch_file_path', '<script>')
            logging.get_logger('launch').warning(
                f'launch file [{where}] is deprecated: {self._deprecated_reason}'
            )
        return self._entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self._entities

    def get_launch_arguments(self, conditional_inclusion: bool = False) -> list:
        """The DeclareLaunchArgument actions that can be found without launching.

        The first declaration of a name wins. Those behind a condition, or in something
        reached only through one, have `_conditionally_included` set.
        """
        return [
            argument
            for argument, _ in self.get_launch_arguments_with_include_launch_description_actions(
                conditional_inclusion
            )
        ]

    def get_launch_arguments_with_include_launch_description_actions(
        self, conditional_inclusion: bool = False
    ) -> list:
        """As get_launch_arguments, each with the includes on the way to it (None at the top)."""
        from .actions import (
            DeclareLaunchArgument,
            IncludeLaunchDescription,
            ResetLaunchConfigurations,
        )

        found: dict[str, tuple] = {}

        def search(entities: Iterable, conditional: bool, includes: 'list | None') -> None:
            for entity in entities:
                if isinstance(entity, ResetLaunchConfigurations):
                    return  # what follows no longer sees the arguments of the top
                if isinstance(entity, DeclareLaunchArgument) and entity.name not in found:
                    entity._conditionally_included = conditional or entity.condition is not None
                    found[entity.name] = (entity, includes)
                inner = includes
                if isinstance(entity, IncludeLaunchDescription):
                    inner = [*(includes or []), entity]
                search(entity.describe_sub_entities(), conditional, inner)
                for _, sub_entities in entity.describe_conditional_sub_entities():
                    search(sub_entities, True, inner)

        search(self._entities, conditional_inclusion, None)
        return list(found.values())
