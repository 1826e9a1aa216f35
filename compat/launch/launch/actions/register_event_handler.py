# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reacting to events from here on, and no longer."""

from ..action import Action
from ..event_handler import BaseEventHandler


class RegisterEventHandler(Action):
    def __init__(self, event_handler: BaseEventHandler, **kwargs) -> None:
        super().__init__(**kwargs)
        self._event_handler = event_handler

    @property
    def event_handler(self) -> BaseEventHandler:
        return self._event_handler

    def describe(self) -> str:
        return f'RegisterEventHandler({self._event_handler.describe()[0]})'

    def describe_conditional_sub_entities(self) -> list:
        text, entities = self._event_handler.describe()
        return [(f'on event of {text}', entities)] if entities else []

    def execute(self, context) -> None:
        context.register_event_handler(self._event_handler)


class UnregisterEventHandler(Action):
    def __init__(self, event_handler: BaseEventHandler, **kwargs) -> None:
        super().__init__(**kwargs)
        self._event_handler = event_handler

    @property
    def event_handler(self) -> BaseEventHandler:
        return self._event_handler

    def execute(self, context) -> None:
        context.unregister_event_handler(self._event_handler)
