# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reactions to the events of nodes."""

from launch.event_handler import EventHandler
from launch.events import Event

from .actions import LifecycleNode
from .events.lifecycle import StateTransition


class OnStateTransition(EventHandler):
    """Matches node, transition, start state and goal state, each only if given.

    A `matcher` replaces all of these.
    """

    def __init__(
        self,
        *,
        entities,
        target_lifecycle_node=None,
        transition=None,
        start_state=None,
        goal_state=None,
        matcher=None,
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
