# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Several actions as one."""

from collections.abc import Iterable

from ..action import Action
from ..launch_description_entity import LaunchDescriptionEntity
from .scopes import (
    PopEnvironment,
    PopLaunchConfigurations,
    PushEnvironment,
    PushLaunchConfigurations,
    ResetEnvironment,
    ResetLaunchConfigurations,
)
from .set_launch_configuration import SetLaunchConfiguration


class GroupAction(Action):
    """With `scoped`, launch configurations and environment are as before when it ends.

    `forwarding=False` starts it with none but `launch_configurations`.
    """

    def __init__(
        self,
        actions: Iterable[Action],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: 'dict | None' = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        configurations = launch_configurations or {}
        setters = [SetLaunchConfiguration(name, value) for name, value in configurations.items()]
        content = [*setters, *actions]
        if scoped and not forwarding:
            content = [ResetEnvironment(), ResetLaunchConfigurations(configurations), *actions]
        if scoped:
            content = [
                PushLaunchConfigurations(),
                PushEnvironment(),
                *content,
                PopEnvironment(),
                PopLaunchConfigurations(),
            ]
        self._content = content

    def describe(self) -> str:
        return 'GroupAction()'

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self._content

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        return self._content
