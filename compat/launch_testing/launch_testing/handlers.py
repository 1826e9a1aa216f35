# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The records of processes and their output, written by the launch and read by tests."""

import threading
from collections.abc import Iterator
from typing import Any

from .asserts import assertInStream
from .util import NoMatchingProcessException


class _Record:
    """Events by process action; `changed` is notified of every new one."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._events: dict[Any, list[Any]] = {}

    def append(self, event: Any) -> None:
        with self._changed:
            self._events.setdefault(event.action, []).append(event)
            self._changed.notify_all()

    def processes(self) -> list[Any]:
        """The actions of the processes on record."""
        with self._changed:
            return list(self._events)

    def _of(self, key: Any) -> list[Any]:
        with self._changed:
            if not isinstance(key, str):
                return list(self._events[key])
            return list(next(ev for action, ev in self._events.items() if key in action.name))


class IoHandler(_Record):
    """Output in order; `[process]` is the list of events of one process."""

    def __iter__(self) -> Iterator[Any]:
        with self._changed:
            return iter([event for events in self._events.values() for event in events])

    def __getitem__(self, key: Any) -> list[Any]:
        return self._of(key)

    def waitFor(self, *args: Any, timeout: float = 10, **options: Any) -> bool:
        """Whether the output came within `timeout` seconds; arguments as of assertInStream."""

        def is_there() -> bool:
            try:
                assertInStream(self, *args, **options)
            except (NoMatchingProcessException, AssertionError):
                return False
            return True

        with self._changed:
            return self._changed.wait_for(is_there, timeout=timeout)

    def assertWaitFor(self, *args: Any, **kwargs: Any) -> None:
        if not self.waitFor(*args, **kwargs):
            raise AssertionError('Waiting for output timed out')


class ProcInfoHandler(_Record):
    """`[process]` is the last ProcessStarted or ProcessExited event of one process."""

    def __iter__(self) -> Iterator[Any]:
        return iter([self[action] for action in self.processes()])

    def __getitem__(self, key: Any) -> Any:
        return self._of(key)[-1]
