# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process has ended."""

from .running_process_event import RunningProcessEvent


class ProcessExited(RunningProcessEvent):
    """`returncode` is negative (-N) when signal N ended the process."""

    name = 'launch.events.process.ProcessExited'

    def __init__(self, *, returncode: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.returncode = returncode
