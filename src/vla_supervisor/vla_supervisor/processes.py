# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Are the supervised nodes' processes there and running? Asked of the kernel, where it knows them.

Silence of a heartbeat takes its timeout to tell, 0.4 s for a camera. That a process is gone, or
stopped (SIGSTOP), its own machine's kernel says at once. This adds to the heartbeats and replaces
none: a process that runs may hang all the same, and one on another computer is not seen here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

SPEAKS_AGAIN = 0.3
"""s after a death from which a heartbeat is that of another process; until then it may be one of
the dead one's that was under way."""


@dataclass(frozen=True)
class Sight:
    """One process as the kernel shows it: state letter of proc(5), and when it was started."""

    state: str
    started: int


def kernel(pid: int) -> Sight | None:
    """The process with this id on this machine; None if there is none."""
    try:
        # Not open(): it costs twice as much, and this is asked 250 times a second.
        file = os.open(f'/proc/{pid}/stat', os.O_RDONLY)
        try:
            line = os.read(file, 4096)
        finally:
            os.close(file)
    except OSError:
        return None
    # The name, in brackets, may hold anything, brackets and blanks included.
    fields = line[line.rindex(b')') + 2 :].split()
    return Sight(fields[0].decode(), int(fields[19]))


@dataclass
class _Process:
    pid: int
    started: int
    gone_since: float | None = None
    stopped: bool = False


class Processes:
    """The processes of the supervised nodes, as far as they are known.

    Args:
        look: shows a process; replaced in tests.
    """

    def __init__(self, look: Callable[[int], Sight | None] = kernel) -> None:
        self._look = look
        self._known: dict[str, _Process] = {}

    def on_process(self, name: str, pid: int) -> None:
        """The node says that it is this process of this machine."""
        known = self._known.get(name)
        if known is not None and known.pid == pid:
            return
        seen = self._look(pid)
        if seen is not None:
            self._known[name] = _Process(pid, seen.started)

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
            seen = self._look(process.pid)
            if seen is None or seen.started != process.started or seen.state in 'ZX':
                process.gone_since = now
                died.append(name)
            else:
                process.stopped = seen.state == 'T'
        return died

    def gone(self, name: str) -> str:
        """What is to be told of a process that is gone; empty if nothing is."""
        known = self._known.get(name)
        return f'process {known.pid} is gone' if known and known.gone_since is not None else ''

    def stopped(self, name: str) -> str:
        """What is to be told of a process that was stopped by a signal; empty if nothing is."""
        known = self._known.get(name)
        return f'process {known.pid} is stopped (SIGSTOP)' if known and known.stopped else ''


class Ghosts:
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
