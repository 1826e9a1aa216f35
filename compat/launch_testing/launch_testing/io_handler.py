# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The record of what processes have written."""

import threading
from collections.abc import Iterator
from typing import Any

from .asserts.assert_output import assertInStream
from .util.proc_lookup import NoMatchingProcessException, resolveProcesses


class IoHandler:
    """Events of output in order; by process action or by unique process name."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._by_name: dict[str, list[Any]] = {}

    def track(self, process_name: str) -> None:
        self._by_name.setdefault(process_name, [])

    def append(self, process_io: Any) -> None:
        self._all.append(process_io)
        self._by_name.setdefault(process_io.process_name, []).append(process_io)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._all))

    def processes(self) -> list[Any]:
        """The actions of the processes that have written something."""
        return [events[0].action for events in self._by_name.values() if events]

    def process_names(self) -> list[str]:
        return list(self._by_name)

    def __getitem__(self, key: Any) -> list[Any]:
        return list(self._by_name[key if isinstance(key, str) else key.process_details['name']])


class ActiveIoHandler:
    """An IoHandler that is still being written to, by the launch, and can be waited on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._io_handler = IoHandler()

    @property
    def io_event(self) -> threading.Condition:
        return self._changed

    def track(self, process_name: str) -> None:
        with self._changed:
            self._io_handler.track(process_name)
            self._changed.notify_all()

    def append(self, process_io: Any) -> None:
        with self._changed:
            self._io_handler.append(process_io)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        with self._changed:
            return iter(self._io_handler)

    def processes(self) -> list[Any]:
        with self._changed:
            return self._io_handler.processes()

    def process_names(self) -> list[str]:
        with self._changed:
            return self._io_handler.process_names()

    def __getitem__(self, key: Any) -> list[Any]:
        with self._changed:
            return self._io_handler[key]

    def waitFor(
        self,
        expected_output: Any,
        process: Any = None,
        cmd_args: Any = None,
        *,
        strict_proc_matching: bool = True,
        output_filter: Any = None,
        timeout: float = 10,
        strip_ansi_escape_sequences: bool = True,
        stream: str = 'stderr',
    ) -> bool:
        """Whether the output came within `timeout` seconds; note that stderr is the default.

        If by then no such process has written anything, that is an exception of its own.
        """

        def is_there() -> bool:
            try:
                assertInStream(
                    self._io_handler,
                    expected_output,
                    process,
                    cmd_args,
                    output_filter=output_filter,
                    strict_proc_matching=strict_proc_matching,
                    strip_ansi_escape_sequences=strip_ansi_escape_sequences,
                    stream=stream,
                )
            except (NoMatchingProcessException, AssertionError):
                return False
            return True

        with self._changed:
            if self._changed.wait_for(is_there, timeout=timeout):
                return True
            resolveProcesses(
                self._io_handler, process=process, cmd_args=cmd_args, strict_proc_matching=False
            )
        return False

    def assertWaitFor(self, *args: Any, **kwargs: Any) -> None:
        if not self.waitFor(*args, **kwargs):
            raise AssertionError('Waiting for output timed out')
