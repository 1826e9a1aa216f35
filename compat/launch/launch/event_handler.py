# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of all event handlers."""

from collections.abc import Callable
from typing import Any

from .events import Event
from .utilities import to_entity_list


class BaseEventHandler:
    """Handles the events that `matcher` accepts; `handle_once` removes it after the first."""

    def __init__(self, *, matcher: Callable[[Event], bool], handle_once: bool = False) -> None:
        self.matches = matcher
        self.handle_once = handle_once

    def describe(self) -> tuple[str, list]:
        """A line of text, and the entities known to follow from an event."""
        return f'{type(self).__name__}(handle_once={self.handle_once})', []

    def handle(self, event: Event, context) -> Any:
        """Called by subclasses first: exposes the event as `context.locals.event`."""
        context.extend_locals({'event': event})
        if self.handle_once:
            context.unregister_event_handler(self)


class EventHandler(BaseEventHandler):
    """Yields `entities`, or what they return if they are a callable of (event, context)."""

    def __init__(self, *, matcher: Callable[[Event], bool], entities: Any = None, **kwargs) -> None:
        super().__init__(matcher=matcher, **kwargs)
        self.entities = entities if callable(entities) else to_entity_list(entities)

    def describe(self) -> tuple[str, list]:
        return super().describe()[0], [] if callable(self.entities) else self.entities

    def handle(self, event: Event, context) -> Any:
        super().handle(event, context)
        return self.entities(event, context) if callable(self.entities) else self.entities
