# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Putting an event into the queue."""

from ..action import Action
from ..event import Event


class EmitEvent(Action):
    def __init__(self, *, event: Event, **kwargs) -> None:
        super().__init__(**kwargs)
        if not isinstance(event, Event):
            raise RuntimeError(f"EmitEvent() expected an event instance, got '{event}'")
        self._event = event

    @property
    def event(self) -> Event:
        return self._event

    def describe(self) -> str:
        return f"EmitEvent(event='{self._event.name}')"

    def execute(self, context) -> None:
        context.emit_event_sync(self._event)
