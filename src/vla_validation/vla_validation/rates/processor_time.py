# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How much of a core each node takes, asked of the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray

from vla_common.process import host_id

TICKS = os.sysconf('SC_CLK_TCK')


def spent(pid: int) -> float | None:
    """Seconds of processor time, user's and system's, of a process so far; None if it is gone."""
    try:
        with open(f'/proc/{pid}/stat', 'rb') as file:
            line = file.read()
    except OSError:
        return None
    # The name, in brackets, may hold anything, brackets and blanks included.
    fields = line[line.rindex(b')') + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class ProcessorTime:
    """The processes of the nodes that tell theirs on /diagnostics, and what they spend.

    Args:
        look: seconds spent by a process; replaced in tests.
        clock: seconds, steady.
    """

    def __init__(
        self,
        look: Callable[[int], float | None] = spent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._clock = look, clock
        self._pids: dict[str, int] = {}
        self._before: dict[str, tuple[int, float]] = {}
        self._began = 0.0

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name, _, task = status.name.lstrip('/').partition(': ')
            values = {value.key: value.value for value in status.values}
            # A process id of another machine or container names some other process here.
            if task == 'lifecycle' and values.get('machine') == host_id() != '':
                self._pids[name] = int(values['pid'])

    def begin(self) -> None:
        self._began = self._clock()
        self._before = {
            name: (pid, before)
            for name, pid in self._pids.items()
            if (before := self._look(pid)) is not None
        }

    def percent(self) -> dict[str, float]:
        """Percent of one core since `begin`, by node, the greatest first; of those that lived."""
        elapsed = self._clock() - self._began
        shares = {}
        for name, (pid, before) in self._before.items():
            now = self._look(pid)
            if now is not None and elapsed > 0.0:
                shares[name] = round(100.0 * (now - before) / elapsed, 1)
        return dict(sorted(shares.items(), key=lambda share: -share[1]))
