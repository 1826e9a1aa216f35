# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of all actions."""

from collections.abc import Iterable

from ._subset import refuse_arguments
from .condition import Condition
from .launch_description_entity import LaunchDescriptionEntity


class Action(LaunchDescriptionEntity):
    """Something to do, if its condition holds when it is visited."""

    def __init__(self, *, condition: 'Condition | None' = None, **unknown) -> None:
        refuse_arguments(self, unknown)
        self._condition = condition

    @property
    def condition(self) -> 'Condition | None':
        return self._condition

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return []

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self.get_sub_entities() if self._condition is None else []

    def describe_conditional_sub_entities(
        self,
    ) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        if self._condition is None:
            return []
        return [(f'Conditionally included by {self.describe()}', self.get_sub_entities())]

    def visit(self, context) -> 'list[LaunchDescriptionEntity] | None':
        if self._condition is not None and not self._condition.evaluate(context):
            return None
        try:
            return self.execute(context)
        finally:
            self._announce_completion(context)

    def _announce_completion(self, context) -> None:
        from .events import ExecutionComplete

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
        return None
