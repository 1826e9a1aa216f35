# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Saving, restoring and emptying launch configurations and environment (GroupAction's means)."""

from ..action import Action
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions


class PushLaunchConfigurations(Action):
    def execute(self, context) -> None:
        context._push_launch_configurations()


class PopLaunchConfigurations(Action):
    def execute(self, context) -> None:
        context._pop_launch_configurations()


class ResetLaunchConfigurations(Action):
    """Forgets all launch configurations but the given ones."""

    def __init__(self, launch_configurations: 'dict | None' = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self._kept = [
            (normalize_to_list_of_substitutions(name), normalize_to_list_of_substitutions(value))
            for name, value in (launch_configurations or {}).items()
        ]

    def execute(self, context) -> None:
        kept = {
            perform_substitutions(context, name): perform_substitutions(context, value)
            for name, value in self._kept
        }
        context.launch_configurations.clear()
        context.launch_configurations.update(kept)


class PushEnvironment(Action):
    def execute(self, context) -> None:
        context._push_environment()


class PopEnvironment(Action):
    def execute(self, context) -> None:
        context._pop_environment()


class ResetEnvironment(Action):
    """The environment as it was when the launch began."""

    def execute(self, context) -> None:
        context._reset_environment()
