# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Something about one process."""

from ...event import Event


class RunningProcessEvent(Event):
    """Carries the action, the unique process name and what was really executed."""

    name = 'launch.events.process.RunningProcessEvent'

    def __init__(
        self,
        *,
        action,
        name: str,
        cmd: list[str],
        cwd: 'str | None',
        env: 'dict[str, str] | None',
        pid: int,
    ) -> None:
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid
