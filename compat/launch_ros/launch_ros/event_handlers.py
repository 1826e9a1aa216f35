# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reactions to the events of nodes."""

from collections.abc import Callable

from launch._subset import refusing_getattr
from launch.event_handler import EventHandler
from launch.events import Event
from launch.utilities import SomeEntitiesType

from .actions import LifecycleNode
from .events.lifecycle import StateTransition


class OnStateTransition(EventHandler):
    """Matches node, transition, start state and goal state, each only if given.

    A `matcher` replaces all of these.
    """

    def __init__(
        self,
        *,
        entities: SomeEntitiesType,
        target_lifecycle_node: 'LifecycleNode | None' = None,
        transition: 'str | None' = None,
        start_state: 'str | None' = None,
        goal_state: 'str | None' = None,
        matcher: 'Callable[[Event], bool] | None' = None,
        **kwargs,
    ) -> None:
        if not isinstance(target_lifecycle_node, (LifecycleNode, type(None))):
            raise RuntimeError("OnStateTransition requires a 'LifecycleNode' action as the target")

        def matches(event: Event) -> bool:
            return (
                isinstance(event, StateTransition)
                and target_lifecycle_node in (None, event.action)
                and transition in (None, event.transition)
                and start_state in (None, event.start_state)
                and goal_state in (None, event.goal_state)
            )

        super().__init__(matcher=matcher or matches, entities=entities, **kwargs)


__getattr__ = refusing_getattr(__name__)
