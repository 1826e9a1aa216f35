# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process has written something."""

from .running_process_event import RunningProcessEvent


class ProcessIO(RunningProcessEvent):
    """`text` is bytes as they came: neither whole lines nor whole characters."""

    name = 'launch.events.process.ProcessIO'

    def __init__(self, *, text: bytes, fd: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.text = text
        self.from_stdin = fd == 0
        self.from_stdout = fd == 1
        self.from_stderr = fd == 2


class ProcessStdout(ProcessIO):
    name = 'launch.events.process.ProcessStdout'

    def __init__(self, *, text: bytes, **kwargs) -> None:
        super().__init__(text=text, fd=1, **kwargs)


class ProcessStderr(ProcessIO):
    name = 'launch.events.process.ProcessStderr'

    def __init__(self, *, text: bytes, **kwargs) -> None:
        super().__init__(text=text, fd=2, **kwargs)
