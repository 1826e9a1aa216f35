# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Why did this thread not get on? Worked, waited for a processor, slept; and what the host took."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

_TICKS = os.sysconf('SC_CLK_TCK')
_STEAL = 8  # which number of a processor's line in /proc/stat
_LOOK_AT_HOST = 0.25
"""s between two looks at /proc/stat, which cost 15 us each; the thread's own account costs 2."""


class _Account(NamedTuple):
    worked: float  # s on a processor; a virtual machine counts what its host took as worked
    waited: float  # s ready to run, with no processor free for it


class SchedulingDelay:
    """The kernel's account of the thread that makes this object.

    From Linux's /proc/thread-self/schedstat (ns on the processor, ns on the run queue) and the
    steal column of /proc/stat. Where the kernel has neither, nothing is said.
    """

    def __init__(self) -> None:
        self._scheduler = _open('/proc/thread-self/schedstat')
        self._machine = _open('/proc/stat')
        self._account = self._read()
        self._looked, self._stolen = 0.0, self._steal()

    def mark(self, now: float) -> None:
        """Begin to count here; ``now`` in steady seconds."""
        self._account = self._read()
        if now - self._looked > _LOOK_AT_HOST:
            self._looked, self._stolen = now, self._steal()

    def tell(self, duration: float) -> str:
        """What became of the ``duration`` (s) since the last `mark`; empty if nobody knows."""
        before, after = self._account, self._read()
        if before is None or after is None:
            return ''
        worked, waited = after.worked - before.worked, after.waited - before.waited
        slept = max(0.0, duration - worked - waited)
        told = (
            f'worked {1e3 * worked:.0f}, waited {1e3 * waited:.0f} for a processor, '
            f'slept {1e3 * slept:.0f} ms'
        )
        steal_time_ms = self._steal() - self._stolen
        if steal_time_ms > 0.0:
            told += f'; the host took {1e3 * steal_time_ms:.0f} ms of this virtual machine'
        return told

    def close(self) -> None:
        """Give the files back."""
        for file in (self._scheduler, self._machine):
            if file is not None:
                os.close(file)
        self._scheduler = self._machine = None

    def _read(self) -> _Account | None:
        if self._scheduler is None:
            return None
        worked, waited, _ = os.pread(self._scheduler, 64, 0).split()
        return _Account(1e-9 * int(worked), 1e-9 * int(waited))

    def _steal(self) -> float:
        """Seconds, of all processors together, that the host gave to others. 0 on bare metal."""
        if self._machine is None:
            return 0.0
        return steal_time_ms(os.pread(self._machine, 200, 0).split(b'\n', 1)[0])


def steal_time_ms(line: bytes) -> float:
    """Seconds that the host gave to others, of a line of /proc/stat: one processor's, or all's."""
    columns = line.split()
    return int(columns[_STEAL]) / _TICKS if len(columns) > _STEAL else 0.0


def _open(path: str) -> int | None:
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None
