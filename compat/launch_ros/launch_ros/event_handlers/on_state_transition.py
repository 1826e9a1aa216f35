# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When a lifecycle node has changed state."""

from collections.abc import Callable

from launch import Event, EventHandler, SomeEntitiesType

from ..actions import LifecycleNode
from ..events.lifecycle import StateTransition


class OnStateTransition(EventHandler):
    """Matches node, transition, start state and goal state, each only if given.

    A `matcher` of one's own is used instead of all these.
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
        wanted = {
            'action': target_lifecycle_node,
            'transition': transition,
            'start_state': start_state,
            'goal_state': goal_state,
        }

        def matches(event: Event) -> bool:
            return isinstance(event, StateTransition) and all(
                value is None or getattr(event, name) == value for name, value in wanted.items()
            )

        super().__init__(matcher=matcher or matches, entities=entities, **kwargs)
