# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processor time of each node."""

import time
from collections.abc import Callable

import psutil
from diagnostic_msgs.msg import DiagnosticArray

from vla_common.process import host_id


def spent(pid: int) -> float | None:
    """Processor time of a process so far, user's and system's, s; None where it has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system


class ProcessorTime:
    """Processor time of the nodes that report their process on /diagnostics.

    Args:
        read: processor time of a process, s; replaced in tests.
        clock: seconds, steady.
    """

    def __init__(
        self,
        read: Callable[[int], float | None] = spent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._clock = read, clock
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
        """Count from here on."""
        self._began = self._clock()
        self._before = {
            name: (pid, before)
            for name, pid in self._pids.items()
            if (before := self._read(pid)) is not None
        }

    def percent(self) -> dict[str, float]:
        """Percent of one core since `begin`, by node, the greatest first; of those that lived."""
        elapsed = self._clock() - self._began
        shares = {}
        for name, (pid, before) in self._before.items():
            now = self._read(pid)
            if now is not None and elapsed > 0.0:
                shares[name] = round(100.0 * (now - before) / elapsed, 1)
        return dict(sorted(shares.items(), key=lambda share: -share[1]))
