# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A launch description, its arguments, and its outline."""

from collections.abc import Iterable

from .actions import DeclareLaunchArgument, IncludeLaunchDescription, ResetLaunchConfigurations
from .utilities import LaunchDescriptionEntity


class LaunchDescription(LaunchDescriptionEntity):
    """What a launch file returns."""

    def __init__(self, initial_entities: 'Iterable[LaunchDescriptionEntity] | None' = None) -> None:
        self.entities = list(initial_entities or ())

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        self.entities.append(action)

    add_entity = add_action

    def visit(self, context) -> list[LaunchDescriptionEntity]:
        return self.entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self.entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """The DeclareLaunchArgument actions that can be found without launching.

        The first declaration of a name wins. Those behind a condition, or in something
        reached only through one, have `is_conditional` set.
        """
        return [argument for argument, _ in self.find_launch_arguments()]

    def find_launch_arguments(self) -> list[tuple]:
        """As get_launch_arguments, each with the includes on the way to it."""
        found: dict[str, tuple] = {}

        def search(entities: Iterable, conditional: bool, includes: tuple) -> None:
            for entity in entities:
                if isinstance(entity, ResetLaunchConfigurations):
                    return  # what follows no longer sees the arguments of the top
                if isinstance(entity, DeclareLaunchArgument) and entity.name not in found:
                    entity.is_conditional = conditional or entity.condition is not None
                    found[entity.name] = (entity, includes)
                inner = includes
                if isinstance(entity, IncludeLaunchDescription):
                    inner = (*includes, entity)
                search(entity.describe_sub_entities(), conditional, inner)
                for _, sub_entities in entity.describe_conditional_sub_entities():
                    search(sub_entities, True, inner)

        search(self.entities, False, ())
        return list(found.values())


class LaunchIntrospector:
    """A launch description as an indented outline (`ros2 launch --print`)."""

    def format_launch_description(self, launch_description) -> str:
        outline = self._outline(launch_description.entities, depth=1)
        return '\n'.join([f'{launch_description}', *outline])

    def _outline(self, entities: Iterable, depth: int) -> list[str]:
        lines = []
        for entity in entities:
            lines.append('    ' * depth + entity.describe())
            lines += self._outline(entity.describe_sub_entities(), depth + 1)
            for reason, sub_entities in entity.describe_conditional_sub_entities():
                lines.append('    ' * (depth + 1) + f'[{reason}]')
                lines += self._outline(sub_entities, depth + 2)
        return lines
