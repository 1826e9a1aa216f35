# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Everything is to end."""

from ..event import Event


class Shutdown(Event):
    """`due_to_sigint` tells that a terminal has sent SIGINT to the processes, too."""

    name = 'launch.events.Shutdown'

    def __init__(self, *, reason: str = 'reason not given', due_to_sigint: bool = False) -> None:
        self.reason = reason
        self.due_to_sigint = due_to_sigint
