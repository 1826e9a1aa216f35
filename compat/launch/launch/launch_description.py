# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A launch description and its arguments."""

from collections.abc import Iterable

from .actions import DeclareLaunchArgument, IncludeLaunchDescription
from .utilities import LaunchDescriptionEntity


class LaunchDescription(LaunchDescriptionEntity):
    """What a launch file returns."""

    def __init__(self, initial_entities: 'Iterable[LaunchDescriptionEntity] | None' = None) -> None:
        self.entities = list(initial_entities or ())

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        self.entities.append(action)

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

    def find_launch_arguments(self) -> list[tuple[DeclareLaunchArgument, set]]:
        """As get_launch_arguments, each with the names that includes on the way to it give."""
        found: dict[str, tuple] = {}

        def search(entities: Iterable, conditional: bool, given: set) -> None:
            for entity in entities:
                depends = conditional or entity.condition is not None
                if isinstance(entity, DeclareLaunchArgument) and entity.name not in found:
                    entity.is_conditional = depends
                    found[entity.name] = (entity, given)
                inner = given
                if isinstance(entity, IncludeLaunchDescription) and not entity.defers:
                    inner = given | {name for name, _ in entity.launch_arguments}
                search(entity.describe_sub_entities(), depends or entity.defers, inner)

        search(self.entities, False, set())
        return list(found.values())
