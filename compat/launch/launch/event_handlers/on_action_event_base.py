# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of handlers of events that an action is the source of."""

from collections.abc import Callable
from typing import Any

from ..action import Action
from ..event import Event
from ..event_handler import BaseEventHandler
from ..utilities import to_entity_list


class OnActionEventBase(BaseEventHandler):
    """Takes events of `target_event_cls` from a given action, from those a callable accepts,
    or from all (None). `on_event` is entities or a callable of (event, context) giving them.
    """

    def __init__(
        self,
        *,
        action_matcher: 'Callable[[Action], bool] | Action | None',
        on_event: Any,
        target_event_cls: type[Event],
        target_action_cls: type[Action],
        **kwargs,
    ) -> None:
        is_action = isinstance(action_matcher, target_action_cls)
        if action_matcher is not None and not is_action and not callable(action_matcher):
            raise TypeError(
                f"action_matcher must be an '{target_action_cls.__name__}' instance or a callable, "
                f'got {action_matcher!r}'
            )

        def matches(event: Event) -> bool:
            if not isinstance(event, target_event_cls):
                return False
            if action_matcher is None:
                return True
            return event.action is action_matcher if is_action else action_matcher(event.action)

        super().__init__(matcher=matches, **kwargs)
        self._on_event = on_event if callable(on_event) else None
        self._entities = [] if callable(on_event) else to_entity_list(on_event)

    def describe(self) -> tuple[str, list]:
        text, known = super().describe()
        return text, known + self._entities

    def handle(self, event: Event, context) -> Any:
        super().handle(event, context)
        return self._entities if self._on_event is None else self._on_event(event, context)
