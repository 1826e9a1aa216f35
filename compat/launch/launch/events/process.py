# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of processes, and those that are meant for processes."""

import signal
from collections.abc import Callable

from . import Event


class RunningProcessEvent(Event):
    """Carries the action, the unique process name and what was executed."""

    def __init__(self, *, action, name, cmd, cwd, env, pid) -> None:
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid


class ProcessStarted(RunningProcessEvent):
    """A process has started."""


class ProcessExited(RunningProcessEvent):
    """A process has ended; `returncode` is -N after signal N."""

    def __init__(self, *, returncode: int, **details) -> None:
        super().__init__(**details)
        self.returncode = returncode


class ProcessIO(RunningProcessEvent):
    """Output; `text` is bytes as they came: neither whole lines nor whole characters."""

    def __init__(self, *, text: bytes, fd: int, **details) -> None:
        super().__init__(**details)
        self.text = text
        self.from_stdout = fd == 1
        self.from_stderr = fd == 2


class ProcessTargetedEvent(Event):
    """Meant for the process actions that `process_matcher` accepts."""

    def __init__(self, *, process_matcher: Callable[[object], bool]) -> None:
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """End the process: SIGINT, then SIGTERM, then SIGKILL."""


class SignalProcess(ProcessTargetedEvent):
    """Send one signal: a number, signal.Signals, or the text 'SIGKILL'.

    Other texts are rejected: the real package takes them and then fails to send the signal.
    """

    def __init__(self, *, signal_number, process_matcher) -> None:
        super().__init__(process_matcher=process_matcher)
        if signal_number == 'SIGKILL':
            signal_number = signal.SIGKILL
        elif isinstance(signal_number, str):
            raise TypeError(f'signal_number {signal_number!r}: give signal.{signal_number} instead')
        self.signal = signal.Signals(signal_number)
