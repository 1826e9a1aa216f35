# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When a launch description is to be visited."""

from typing import Any

from ..event import Event
from ..event_handler import BaseEventHandler
from ..events import IncludeLaunchDescription


class OnIncludeLaunchDescription(BaseEventHandler):
    """Yields the description of the event; a launch service has one from the start."""

    def __init__(self, **kwargs) -> None:
        super().__init__(
            matcher=lambda event: isinstance(event, IncludeLaunchDescription), **kwargs
        )

    def handle(self, event: Event, context) -> Any:
        super().handle(event, context)
        return event.launch_description
