# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Scheduling delay of a thread: running, waiting for a processor, sleeping, taken by the host."""

import os
from contextlib import suppress
from typing import NamedTuple

_TICKS = os.sysconf('SC_CLK_TCK')
_STEAL = 8  # column of a processor's line in /proc/stat
_LOOK_AT_HOST = 0.25
"""s between two reads of /proc/stat, which take 15 µs each; the thread's own account takes 2."""


class _Account(NamedTuple):
    worked: float  # s on a processor; in a virtual machine including the time that the host took
    waited: float  # s ready to run without a free processor


class SchedulingDelay:
    """The kernel's account of the thread that creates this object.

    From Linux's /proc/thread-self/schedstat (ns on the processor, ns on the run queue) and the
    steal column of /proc/stat. Without them the description is empty.
    """

    def __init__(self) -> None:
        self._scheduler = _open('/proc/thread-self/schedstat')
        self._machine = _open('/proc/stat')
        self._account = self._read()
        self._looked, self._stolen = 0.0, self._steal()

    def mark(self, now: float) -> None:
        """Begin to count at steady time ``now`` (s)."""
        self._account = self._read()
        if now - self._looked > _LOOK_AT_HOST:
            self._looked, self._stolen = now, self._steal()

    def describe(self, duration: float) -> str:
        """Where the ``duration`` (s) since the last `mark` went; empty if unknown."""
        before, after = self._account, self._read()
        if before is None or after is None:
            return ''
        worked, waited = after.worked - before.worked, after.waited - before.waited
        slept = max(0.0, duration - worked - waited)
        text = (
            f'worked {1e3 * worked:.0f}, waited {1e3 * waited:.0f} for a processor, '
            f'slept {1e3 * slept:.0f} ms'
        )
        stolen = self._steal() - self._stolen
        if stolen > 0.0:
            text += f'; the host took {1e3 * stolen:.0f} ms of this virtual machine'
        return text

    def waited(self) -> float:
        """s that the thread was ready to run without a processor, in all; 0 if unknown."""
        account = self._read()
        return account.waited if account else 0.0

    def close(self) -> None:
        """Close the files."""
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
        """s that the host took from all processors together; 0 on bare metal."""
        if self._machine is None:
            return 0.0
        return stolen_time(os.pread(self._machine, 200, 0).split(b'\n', 1)[0])


def stolen_time(line: bytes) -> float:
    """s that the host took, from a line of /proc/stat: of one processor, or of all."""
    columns = line.split()
    return int(columns[_STEAL]) / _TICKS if len(columns) > _STEAL else 0.0


def _open(path: str) -> int | None:
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None
