# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A lifecycle node has changed state."""

from launch import Event


class StateTransition(Event):
    """`transition`, `start_state` and `goal_state` are labels, such as 'inactive'."""

    name = 'launch_ros.events.lifecycle.StateTransition'

    def __init__(self, *, action, msg) -> None:
        self.action = action
        self.msg = msg
        self.timestamp = msg.timestamp
        self.transition = msg.transition.label
        self.start_state = msg.start_state.label
        self.goal_state = msg.goal_state.label
