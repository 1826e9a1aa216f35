# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The record of processes starting and ending."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from launch.events.process import ProcessExited

from .util.proc_lookup import NoMatchingProcessException, resolveProcesses


class ProcInfoHandler:
    """The last ProcessStarted or ProcessExited event of each process."""

    def __init__(self) -> None:
        self._events: dict[Any, Any] = {}

    def append(self, process_info: Any) -> None:
        self._events[process_info.action] = process_info

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._events.values()))

    def processes(self) -> list[Any]:
        return list(self._events)

    def process_names(self) -> list[str]:
        return [action.process_details['name'] for action in self._events]

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._events[key]
        for action, event in self._events.items():
            if key in action.process_details['name']:
                return event
        raise KeyError(key)


class ActiveProcInfoHandler:
    """A ProcInfoHandler that is still being written to, by the launch, and can be waited on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._proc_info_handler = ProcInfoHandler()

    @property
    def proc_event(self) -> threading.Condition:
        return self._changed

    def append(self, process_info: Any) -> None:
        with self._changed:
            self._proc_info_handler.append(process_info)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        with self._changed:
            return iter(self._proc_info_handler)

    def processes(self) -> list[Any]:
        with self._changed:
            return self._proc_info_handler.processes()

    def process_names(self) -> list[str]:
        with self._changed:
            return self._proc_info_handler.process_names()

    def __getitem__(self, key: Any) -> Any:
        with self._changed:
            return self._proc_info_handler[key]

    def _wait_for_event(
        self, process: Any, cmd_args: Any, timeout: float, accepts: Callable[[Any], bool]
    ) -> bool:
        def has_come() -> bool:
            try:
                found = resolveProcesses(
                    self._proc_info_handler, process=process, cmd_args=cmd_args
                )
            except NoMatchingProcessException:
                return False
            return accepts(self._proc_info_handler[found[0]])

        with self._changed:
            return self._changed.wait_for(has_come, timeout=timeout)

    def assertWaitForShutdown(
        self, process: Any, cmd_args: Any = None, *, timeout: float = 10
    ) -> None:
        if not self._wait_for_event(
            process, cmd_args, timeout, lambda event: isinstance(event, ProcessExited)
        ):
            raise AssertionError(f"Timed out waiting for process '{process}' to finish")

    def assertWaitForStartup(
        self, process: Any, cmd_args: Any = None, *, timeout: float = 10
    ) -> None:
        if not self._wait_for_event(process, cmd_args, timeout, lambda event: True):
            raise AssertionError(f"Timed out waiting for process '{process}' to start")
