# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of all actions."""

from .utilities import LaunchDescriptionEntity


class Action(LaunchDescriptionEntity):
    """Something to do, if its condition holds when it is visited."""

    def __init__(self, *, condition=None) -> None:
        self.condition = condition

    def visit(self, context) -> 'list[LaunchDescriptionEntity] | None':
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context) -> 'list[LaunchDescriptionEntity] | None':
        """Do the work; the returned entities are visited next."""
