# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The time of a TimerAction has come."""

from ..event import Event


class TimerEvent(Event):
    name = 'launch.events.TimerEvent'

    def __init__(self, *, timer_action) -> None:
        self.timer_action = timer_action
