# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The records of processes and their output, written by the launch and read by tests."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from launch.events.process import ProcessExited

from .asserts import assertInStream
from .util import NoMatchingProcessException, resolveProcesses


class _Record:
    """Events by process action; `changed` is notified of every new one."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._events: dict[Any, list[Any]] = {}

    def track(self, event: Any) -> None:
        """Note that a process has started."""
        with self._changed:
            self._events.setdefault(event.action, [])

    def append(self, event: Any) -> None:
        with self._changed:
            self._events.setdefault(event.action, []).append(event)
            self._changed.notify_all()

    def processes(self) -> list[Any]:
        """The actions of the processes on record."""
        with self._changed:
            return [action for action, events in self._events.items() if events]

    def process_names(self) -> list[str]:
        return [action.name for action in self.processes()]

    def _of(self, key: Any) -> list[Any]:
        with self._changed:
            if not isinstance(key, str):
                return list(self._events[key])
            return list(next(ev for action, ev in self._events.items() if key in action.name))

    def _wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout=timeout)


class IoHandler(_Record):
    """Output in order; `[process]` is the list of events of one process."""

    def __iter__(self) -> Iterator[Any]:
        with self._changed:
            return iter([event for events in self._events.values() for event in events])

    def __getitem__(self, key: Any) -> list[Any]:
        return self._of(key)

    def waitFor(
        self, expected_output, process=None, cmd_args=None, *, timeout=10, **options
    ) -> bool:
        """Whether the output came within `timeout` seconds; options as of assertInStream.

        If by then no such process has written anything, that is an exception of its own.
        """

        def is_there() -> bool:
            try:
                assertInStream(self, expected_output, process, cmd_args, **options)
            except (NoMatchingProcessException, AssertionError):
                return False
            return True

        if self._wait_for(is_there, timeout):
            return True
        resolveProcesses(self, process=process, cmd_args=cmd_args, strict_proc_matching=False)
        return False

    def assertWaitFor(self, *args: Any, **kwargs: Any) -> None:
        if not self.waitFor(*args, **kwargs):
            raise AssertionError('Waiting for output timed out')


class ProcInfoHandler(_Record):
    """`[process]` is the last ProcessStarted or ProcessExited event of one process."""

    def __iter__(self) -> Iterator[Any]:
        return iter([self[action] for action in self.processes()])

    def __getitem__(self, key: Any) -> Any:
        return self._of(key)[-1]

    def _wait_for_event(self, process, cmd_args, timeout, event_type) -> bool:
        def has_come() -> bool:
            try:
                found = resolveProcesses(self, process=process, cmd_args=cmd_args)
            except NoMatchingProcessException:
                return False
            return isinstance(self[found[0]], event_type)

        return self._wait_for(has_come, timeout)

    def assertWaitForShutdown(self, process, cmd_args=None, *, timeout=10) -> None:
        if not self._wait_for_event(process, cmd_args, timeout, ProcessExited):
            raise AssertionError(f"Timed out waiting for process '{process}' to finish")

    def assertWaitForStartup(self, process, cmd_args=None, *, timeout=10) -> None:
        if not self._wait_for_event(process, cmd_args, timeout, object):
            raise AssertionError(f"Timed out waiting for process '{process}' to start")
