# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reactions to the events of a launch.

What a handler yields is given as entities, or as a callable of (event, context) that returns them.
"""

from typing import Any

from . import events
from .action import Action
from .events import process
from .utilities import to_entity_list


class EventHandler:
    """Yields `entities` for each event that `matcher` accepts."""

    def __init__(self, *, matcher, entities: Any) -> None:
        self.matches = matcher
        self.entities = entities if callable(entities) else to_entity_list(entities)

    def handle(self, event: events.Event, context) -> Any:
        """What follows from the event, which is exposed as `context.locals.event`."""
        context.extend_locals({'event': event})
        return self.entities(event, context) if callable(self.entities) else self.entities


class _OnAction(EventHandler):
    """Matches events from one action, from those that a callable accepts, or from all (None)."""

    def __init__(self, target, entities, event_type) -> None:
        is_action = isinstance(target, Action)
        if target is not None and not is_action and not callable(target):
            raise TypeError(f'target_action: expected an action or a callable, got {target!r}')

        def matches(event: events.Event) -> bool:
            if not isinstance(event, event_type) or target is None:
                return isinstance(event, event_type)
            return event.action is target if is_action else target(event.action)

        super().__init__(matcher=matches, entities=entities)


class OnProcessStart(_OnAction):
    def __init__(self, *, target_action: Any = None, on_start: Any) -> None:
        super().__init__(target_action, on_start, process.ProcessStarted)


class OnProcessExit(_OnAction):
    def __init__(self, *, target_action: Any = None, on_exit: Any) -> None:
        super().__init__(target_action, on_exit, process.ProcessExited)


class OnProcessIO(_OnAction):
    """The callables take the event alone and may return entities."""

    def __init__(self, *, target_action=None, on_stdout=None, on_stderr=None) -> None:
        def on_io(event: process.ProcessIO, context) -> Any:
            react = on_stdout if event.from_stdout else on_stderr
            return None if react is None else react(event)

        super().__init__(target_action, on_io, process.ProcessIO)


class OnShutdown(EventHandler):
    """A process that it yields is not started any more."""

    def __init__(self, *, on_shutdown: Any) -> None:
        super().__init__(
            matcher=lambda event: isinstance(event, events.Shutdown), entities=on_shutdown
        )
