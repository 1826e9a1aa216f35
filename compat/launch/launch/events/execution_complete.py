# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An action is done."""

from ..action import Action
from ..event import Event


class ExecutionComplete(Event):
    """For actions that go on (processes, timers): once they ended."""

    name = 'launch.events.ExecutionComplete'

    def __init__(self, *, action: Action) -> None:
        self.action = action
