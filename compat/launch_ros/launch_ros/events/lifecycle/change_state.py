# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A request to lifecycle nodes to change state."""

from collections.abc import Callable

from lifecycle_msgs.msg import State, Transition

from launch import Event


class ChangeState(Event):
    """`transition_id` is one of lifecycle_msgs.msg.Transition.TRANSITION_*."""

    name = 'launch_ros.events.lifecycle.ChangeState'

    valid_transitions = {
        getattr(Transition, f'TRANSITION_{name}'): f'TRANSITION_{name}'
        for name in (
            'CREATE',
            'CONFIGURE',
            'CLEANUP',
            'ACTIVATE',
            'DEACTIVATE',
            'UNCONFIGURED_SHUTDOWN',
            'INACTIVE_SHUTDOWN',
            'ACTIVE_SHUTDOWN',
            'DESTROY',
        )
    }
    valid_states = {
        getattr(State, name): name
        for name in (
            'PRIMARY_STATE_UNKNOWN',
            'PRIMARY_STATE_UNCONFIGURED',
            'PRIMARY_STATE_INACTIVE',
            'PRIMARY_STATE_ACTIVE',
            'PRIMARY_STATE_FINALIZED',
            'TRANSITION_STATE_CONFIGURING',
            'TRANSITION_STATE_CLEANINGUP',
            'TRANSITION_STATE_SHUTTINGDOWN',
            'TRANSITION_STATE_ACTIVATING',
            'TRANSITION_STATE_DEACTIVATING',
            'TRANSITION_STATE_ERRORPROCESSING',
        )
    }

    def __init__(
        self, *, lifecycle_node_matcher: Callable[[object], bool], transition_id: int
    ) -> None:
        if transition_id not in self.valid_transitions:
            known = ', '.join(f'{name}: {id_}' for id_, name in self.valid_transitions.items())
            raise ValueError(
                f"given transition_id of '{transition_id}', expected one of {{{known}}}"
            )
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id
