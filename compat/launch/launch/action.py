# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of all actions."""

from .events import ExecutionComplete
from .utilities import LaunchDescriptionEntity


class Action(LaunchDescriptionEntity):
    """Something to do, if its condition holds when it is visited."""

    def __init__(self, *, condition=None) -> None:
        self.condition = condition

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return []

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self.get_sub_entities() if self.condition is None else []

    def describe_conditional_sub_entities(self) -> list:
        if self.condition is None:
            return []
        return [(f'Conditionally included by {self.describe()}', self.get_sub_entities())]

    def visit(self, context) -> 'list[LaunchDescriptionEntity] | None':
        if self.condition is not None and not self.condition.evaluate(context):
            return None
        try:
            return self.execute(context)
        finally:
            self._announce_completion(context)

    def _announce_completion(self, context) -> None:
        event = ExecutionComplete(action=self)
        if not context.would_handle_event(event):
            return
        future = self.get_asyncio_future()
        if future is None:
            context.emit_event_sync(event)
        else:
            future.add_done_callback(lambda _: context.emit_event_sync(event))

    def execute(self, context) -> 'list[LaunchDescriptionEntity] | None':
        """Do the work; the returned entities are visited next."""
