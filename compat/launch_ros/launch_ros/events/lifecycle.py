# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of lifecycle nodes."""

from launch.events import Event
from lifecycle_msgs.msg import Transition


class ChangeState(Event):
    """A request for a transition, one of lifecycle_msgs.msg.Transition.TRANSITION_*."""

    valid_transitions = {
        getattr(Transition, f'TRANSITION_{name}'): f'TRANSITION_{name}'
        for name in (
            *('CREATE', 'CONFIGURE', 'CLEANUP', 'ACTIVATE', 'DEACTIVATE', 'UNCONFIGURED_SHUTDOWN'),
            *('INACTIVE_SHUTDOWN', 'ACTIVE_SHUTDOWN', 'DESTROY'),
        )
    }

    def __init__(self, *, lifecycle_node_matcher, transition_id) -> None:
        if transition_id not in self.valid_transitions:
            raise ValueError(
                f"given transition_id of '{transition_id}', expected one of "
                f'{self.valid_transitions}'
            )
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id


class StateTransition(Event):
    """A lifecycle node has changed state; states and transition are labels ('inactive')."""

    def __init__(self, *, action, msg) -> None:
        self.action = action
        self.msg = msg
        self.transition = msg.transition.label
        self.start_state = msg.start_state.label
        self.goal_state = msg.goal_state.label
