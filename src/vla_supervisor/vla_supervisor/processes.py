# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Are the supervised nodes' processes there and running? Asked of the kernel, where it knows them.

Silence of a heartbeat takes its timeout to tell, 0.4 s for a camera. That a process is gone, or
stopped (SIGSTOP), its own machine's kernel says at once. This adds to the heartbeats and replaces
none: a process that runs may hang all the same, and one on another computer is not seen here.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

SPEAKS_AGAIN = 0.3
"""s after a death from which a heartbeat is that of another process; until then it may be one of
the dead one's that was under way."""


class ProcessState(Enum):
    """What becomes of a process."""

    RUNS = 'runs'
    STOPPED = 'is stopped (SIGSTOP)'
    GONE = 'is gone'


_PENDING = re.compile(rb'^S(?:ig|hd)Pnd:\t([0-9a-f]+)', re.MULTILINE)
_KILL, _STOP = 1 << (signal.SIGKILL - 1), 1 << (signal.SIGSTOP - 1)


def life(status: bytes) -> ProcessState:
    """What /proc/<pid>/status, see proc(5), says of its process.

    A signal that kills or stops counts from when it was sent. A process acts on it only when it
    gets the processor, and one without real-time priority waits for that, on a busy machine for
    100 ms and more; nothing that it still does in that time can be relied on.
    """
    at = status.index(b'\nState:\t') + len(b'\nState:\t')
    state = status[at : at + 1]
    pending = 0
    for mask in _PENDING.findall(status):
        pending |= int(mask, 16)
    # Without memory of its own it is on its way out: that comes before it is a zombie.
    if state in b'ZX' or pending & _KILL or b'\nVmSize:' not in status:
        return ProcessState.GONE
    return ProcessState.STOPPED if state == b'T' or pending & _STOP else ProcessState.RUNS


class ProcessProbe:
    """One process of this machine, through its file in /proc.

    The file stays that one process's for as long as it is open: another one under the same number
    is never taken for it. Nor does opening it again cost anything, 250 times a second.

    Args:
        pid: of the process.

    Raises:
        OSError: there is none.
    """

    def __init__(self, pid: int) -> None:
        self._file = os.open(f'/proc/{pid}/status', os.O_RDONLY)

    def __call__(self) -> ProcessState:
        try:
            return life(os.pread(self._file, 8192, 0))
        except ProcessLookupError:
            return ProcessState.GONE

    def __del__(self) -> None:
        if hasattr(self, '_file'):
            os.close(self._file)


@dataclass
class _Process:
    pid: int
    look: Callable[[], ProcessState]
    gone_since: float | None = None
    stopped: bool = False


class Processes:
    """The processes of the supervised nodes, as far as they are known.

    Args:
        eye: what looks at a process of this number, raising OSError if there is none; replaced in
            tests.
    """

    def __init__(self, eye: Callable[[int], Callable[[], ProcessState]] = ProcessProbe) -> None:
        self._eye = eye
        self._known: dict[str, _Process] = {}

    def on_process(self, name: str, pid: int) -> None:
        """The node says that it is this process of this machine."""
        known = self._known.get(name)
        if known is not None and known.pid == pid:
            return
        with suppress(OSError):
            self._known[name] = _Process(pid, self._eye(pid))

    def on_heartbeat(self, now: float, name: str) -> None:
        """The node was heard: if its process is dead, another one speaks in its place."""
        known = self._known.get(name)
        if (
            known is not None
            and known.gone_since is not None
            and now - known.gone_since > SPEAKS_AGAIN
        ):
            del self._known[name]

    def look(self, now: float) -> list[str]:
        """Look at all of them; names of those whose process was found to be gone just now."""
        died = []
        for name, process in self._known.items():
            if process.gone_since is not None:
                continue
            life = process.look()
            if life is ProcessState.GONE:
                process.gone_since = now
                died.append(name)
            process.stopped = life is ProcessState.STOPPED
        return died

    def gone(self, name: str) -> str:
        """What is to be told of a process that is gone; empty if nothing is."""
        known = self._known.get(name)
        lost = known is not None and known.gone_since is not None
        return f'process {known.pid} {ProcessState.GONE.value}' if lost else ''

    def stopped(self, name: str) -> str:
        """What is to be told of a process that was stopped by a signal; empty if nothing is."""
        known = self._known.get(name)
        return (
            f'process {known.pid} {ProcessState.STOPPED.value}' if known and known.stopped else ''
        )


class StalePublishers:
    """Publishers of dead processes that discovery goes on listing until their lease runs out.

    They speak no more, so they are no second publisher; counting them would refuse for seconds to
    resume after a restart. A publisher is known by its identity on the wire (its GID), and is a
    ghost only if it was the one publisher of a node whose process the kernel says is gone.
    """

    def __init__(self) -> None:
        self._gids: set[bytes] = set()

    def bury(self, publishers: Iterable[bytes]) -> None:
        """GIDs on one topic that bear a dead node's name."""
        gids = list(publishers)
        if len(gids) == 1:
            self._gids.update(gids)

    def alive(self, publishers: Iterable[bytes]) -> int:
        """How many of these publishers may still speak."""
        return sum(gid not in self._gids for gid in publishers)
