# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes of the supervised nodes, as the kernel reports them.

A lost heartbeat is noticed after its timeout, 0.4 s for a camera. That a process is gone, or
stopped (SIGSTOP), the kernel of its machine reports at once. This adds to the heartbeats and
replaces none: a running process may hang, and one on another computer is not seen here.
"""

import os
import re
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

RESTART_TIME = 0.3
"""s after the end of a process from which a heartbeat is that of its successor; an earlier one may
be its own, still in transit."""


class ProcessState(Enum):
    """State of a process; the value is its text."""

    RUNS = 'runs'
    STOPPED = 'is stopped (SIGSTOP)'
    GONE = 'is gone'


_PENDING = re.compile(rb'^S(?:ig|hd)Pnd:\t([0-9a-f]+)', re.MULTILINE)
_KILL, _STOP = 1 << (signal.SIGKILL - 1), 1 << (signal.SIGSTOP - 1)


def process_state(status: bytes) -> ProcessState:
    """The state of a process from its /proc/<pid>/status, see proc(5).

    A signal that kills or stops counts from when it was sent. A process without real-time priority
    acts on it only when it is scheduled, on a busy machine after 100 ms and more.
    """
    at = status.index(b'\nState:\t') + len(b'\nState:\t')
    state = status[at : at + 1]
    pending = 0
    for mask in _PENDING.findall(status):
        pending |= int(mask, 16)
    # A process that ends loses its memory before it becomes a zombie.
    if state in b'ZX' or pending & _KILL or b'\nVmSize:' not in status:
        return ProcessState.GONE
    return ProcessState.STOPPED if state == b'T' or pending & _STOP else ProcessState.RUNS


class ProcessProbe:
    """One process of this machine, through its file in /proc.

    The open file belongs to that one process: another one with the same number is never taken for
    it, and nothing is opened 250 times a second.

    Args:
        pid: of the process.

    Raises:
        OSError: there is no such process.
    """

    def __init__(self, pid: int) -> None:
        self._file = os.open(f'/proc/{pid}/status', os.O_RDONLY)

    def __call__(self) -> ProcessState:
        try:
            return process_state(os.pread(self._file, 8192, 0))
        except ProcessLookupError:
            return ProcessState.GONE

    def __del__(self) -> None:
        if hasattr(self, '_file'):
            os.close(self._file)


@dataclass
class _Process:
    pid: int
    probe: Callable[[], ProcessState]
    gone_since: float | None = None
    stopped: bool = False


class Processes:
    """The processes of the supervised nodes, as far as they are known.

    Args:
        probe: creates the probe of a process number, or raises OSError; replaced in tests.
    """

    def __init__(self, probe: Callable[[int], Callable[[], ProcessState]] = ProcessProbe) -> None:
        self._probe = probe
        self._known: dict[str, _Process] = {}

    def on_process(self, name: str, pid: int) -> None:
        """The node reported this process of this machine as its own."""
        known = self._known.get(name)
        if known is not None and known.pid == pid:
            return
        with suppress(OSError):
            self._known[name] = _Process(pid, self._probe(pid))

    def on_heartbeat(self, now: float, name: str) -> None:
        """The node is alive: if its process is gone, another one has its name now."""
        known = self._known.get(name)
        if (
            known is not None
            and known.gone_since is not None
            and now - known.gone_since > RESTART_TIME
        ):
            del self._known[name]

    def check(self, now: float) -> list[str]:
        """Check all of them; names of those whose process was found to be gone just now."""
        died = []
        for name, process in self._known.items():
            if process.gone_since is not None:
                continue
            state = process.probe()
            if state is ProcessState.GONE:
                process.gone_since = now
                died.append(name)
            process.stopped = state is ProcessState.STOPPED
        return died

    def gone(self, name: str) -> str:
        """Text about a process that is gone, else empty."""
        known = self._known.get(name)
        lost = known is not None and known.gone_since is not None
        return f'process {known.pid} {ProcessState.GONE.value}' if lost else ''

    def stopped(self, name: str) -> str:
        """Text about a process that was stopped by a signal, else empty."""
        known = self._known.get(name)
        return (
            f'process {known.pid} {ProcessState.STOPPED.value}' if known and known.stopped else ''
        )


class StalePublishers:
    """Publishers of ended processes that discovery lists until their lease runs out.

    They publish no more, so they are no second publisher; counting them would refuse a resume for
    seconds after a restart. A publisher is known by its GID, and is stale only if it was the one
    publisher of a node whose process is gone by the kernel's report.
    """

    def __init__(self) -> None:
        self._gids: set[bytes] = set()

    def mark_dead(self, publishers: Iterable[bytes]) -> None:
        """publishers: GIDs on one topic under the name of an ended node."""
        gids = list(publishers)
        if len(gids) == 1:
            self._gids.update(gids)

    def alive(self, publishers: Iterable[bytes]) -> int:
        """How many of these publishers may still publish."""
        return sum(gid not in self._gids for gid in publishers)
