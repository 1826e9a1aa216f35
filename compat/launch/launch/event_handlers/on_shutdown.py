# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When the launch shuts down."""

from typing import Any

from ..event import Event
from ..event_handler import BaseEventHandler
from ..events import Shutdown


class OnShutdown(BaseEventHandler):
    """`on_shutdown` is entities, or a callable of (event, context) giving them.

    A process that they yield is not started any more.
    """

    def __init__(self, *, on_shutdown: Any, **kwargs) -> None:
        super().__init__(matcher=lambda event: isinstance(event, Shutdown), **kwargs)
        self._on_shutdown = on_shutdown

    def handle(self, event: Event, context) -> Any:
        super().handle(event, context)
        if callable(self._on_shutdown):
            return self._on_shutdown(event, context)
        return self._on_shutdown
