# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of processes."""

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
