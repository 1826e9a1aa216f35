# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reactions to the events of a launch.

What a handler yields is given as entities, or as a callable of (event, context) that returns them.
"""

from typing import Any

from . import events
from .action import Action
from .event_handler import EventHandler
from .events.process import ProcessExited, ProcessIO, ProcessStarted
from .execute_process import ExecuteLocal


class _OnAction(EventHandler):
    """Matches events from one action, from those that a callable accepts, or from all (None)."""

    def __init__(self, target, entities, event_type, action_type=ExecuteLocal, **kwargs) -> None:
        is_action = isinstance(target, action_type)
        if target is not None and not is_action and not callable(target):
            raise TypeError(
                f'target_action: expected {action_type.__name__} or a callable, got {target!r}'
            )

        def matches(event: events.Event) -> bool:
            if not isinstance(event, event_type) or target is None:
                return isinstance(event, event_type)
            return event.action is target if is_action else target(event.action)

        super().__init__(matcher=matches, entities=entities, **kwargs)


class OnExecutionComplete(_OnAction):
    def __init__(self, *, target_action: Any = None, on_completion: Any, **kwargs) -> None:
        super().__init__(target_action, on_completion, events.ExecutionComplete, Action, **kwargs)


class OnProcessStart(_OnAction):
    def __init__(self, *, target_action: Any = None, on_start: Any, **kwargs) -> None:
        super().__init__(target_action, on_start, ProcessStarted, **kwargs)


class OnProcessExit(_OnAction):
    def __init__(self, *, target_action: Any = None, on_exit: Any, **kwargs) -> None:
        super().__init__(target_action, on_exit, ProcessExited, **kwargs)


class OnProcessIO(_OnAction):
    """The callables take the event alone and may return entities."""

    def __init__(self, *, target_action=None, on_stdout=None, on_stderr=None, **kwargs) -> None:
        def on_io(event: ProcessIO, context) -> Any:
            react = on_stdout if event.from_stdout else on_stderr
            return None if react is None else react(event)

        super().__init__(target_action, on_io, ProcessIO, **kwargs)


class OnShutdown(EventHandler):
    """A process that it yields is not started any more."""

    def __init__(self, *, on_shutdown: Any, **kwargs) -> None:
        super().__init__(
            matcher=lambda event: isinstance(event, events.Shutdown), entities=on_shutdown, **kwargs
        )
