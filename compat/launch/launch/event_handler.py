# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What turns events into further entities."""

from collections.abc import Callable
from typing import Any

from ._subset import refuse_arguments
from .event import Event


class BaseEventHandler:
    """Takes the events that `matcher` accepts; `handle_once` removes it after the first."""

    def __init__(
        self, *, matcher: Callable[[Event], bool], handle_once: bool = False, **unknown
    ) -> None:
        refuse_arguments(self, unknown)
        self._matcher = matcher
        self._handle_once = handle_once

    @property
    def handle_once(self) -> bool:
        return self._handle_once

    def matches(self, event: Event) -> bool:
        return self._matcher(event)

    def describe(self) -> tuple[str, list]:
        """A line for people, and the entities known to follow from an event."""
        return f'{type(self).__name__}(handle_once={self._handle_once})', []

    def handle(self, event: Event, context) -> Any:
        """Called by subclasses first: exposes the event as `context.locals.event`."""
        context.extend_locals({'event': event})
        if self._handle_once:
            context.unregister_event_handler(self)
        return None


class EventHandler(BaseEventHandler):
    """Yields the same entities for each matching event."""

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: Any = None,
        handle_once: bool = False,
        **unknown,
    ) -> None:
        super().__init__(matcher=matcher, handle_once=handle_once, **unknown)
        self._entities = entities

    @property
    def entities(self) -> Any:
        return self._entities

    def describe(self) -> tuple[str, list]:
        from .utilities import to_entity_list

        text, known = super().describe()
        return text, known + to_entity_list(self._entities)

    def handle(self, event: Event, context) -> Any:
        super().handle(event, context)
        return self._entities
