# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The state that entities share while a description is launched."""

import asyncio
import collections
import os
import threading
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

from . import logging
from .events import Event


class LaunchContext:
    """Launch configurations, environment, locals, event handlers and the event queue.

    The environment is the launching process's own (`os.environ`), as in the real package:
    actions that change it change what every later child inherits.
    """

    def __init__(self, *, argv=None, noninteractive=False) -> None:
        self.argv = list(argv or ())
        self.noninteractive = noninteractive
        self.launch_configurations: dict[str, Any] = {}
        self.asyncio_loop: asyncio.AbstractEventLoop | None = None
        self.is_shutdown = False
        self._scopes: list[tuple[dict[str, Any], dict[str, str]]] = []
        self._locals: dict[str, Any] = {}
        self._event_handlers: collections.deque = collections.deque()
        self._events: collections.deque[Event] = collections.deque()
        self._event_arrived: asyncio.Event | None = None  # exists while a loop runs
        self._loop_thread: int | None = None
        self._logger = logging.get_logger('launch')

    # Launch configurations, environment, and their scopes.

    @property
    def environment(self) -> MutableMapping[str, str]:
        return os.environ

    def push_scope(self) -> None:
        self._scopes.append((dict(self.launch_configurations), dict(os.environ)))

    def pop_scope(self) -> None:
        self.launch_configurations, wanted = self._scopes.pop()
        # Change only what differs: other threads may be reading os.environ.
        for name in set(os.environ) - set(wanted):
            del os.environ[name]
        for name, value in wanted.items():
            if os.environ.get(name) != value:
                os.environ[name] = value

    # Locals: names that event handlers and includes leave for the entities they yield.

    @property
    def locals(self) -> SimpleNamespace:
        return SimpleNamespace(**self._locals)

    def get_locals_as_dict(self) -> dict[str, Any]:
        return dict(self._locals)

    def extend_locals(self, extensions: dict[str, Any]) -> None:
        self._locals.update(extensions)

    # Events.

    def register_event_handler(self, event_handler) -> None:
        """Add a handler before those already registered."""
        self._event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler) -> None:
        self._event_handlers.remove(event_handler)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event; safe from any thread (in the real package only from the loop's)."""
        self._logger.debug(f"emitting event: '{event.name}'")
        self._events.append(event)
        arrived, loop = self._event_arrived, self.asyncio_loop
        if arrived is None or loop is None:
            return
        if threading.get_ident() == self._loop_thread:
            arrived.set()
        else:
            loop.call_soon_threadsafe(arrived.set)

    # For LaunchService only.

    def _attach_to_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop_thread = threading.get_ident()
        self._event_arrived = asyncio.Event()
        self.asyncio_loop = loop

    def _detach_from_loop(self) -> None:
        self.asyncio_loop = self._event_arrived = self._loop_thread = None
