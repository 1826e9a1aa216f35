# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Was it the machine? Tells when a shared machine stood still, so that a test can be repeated.

A robot whose processes do not get the CPU for 100 ms stops, as it must; a test about another fault
then fails, and has shown nothing. Two processes watch: one with a thread per CPU, at a real-time
priority above all of the robot's, that sleeps and notes how late it wakes; and one at the default
priority, that of camera and policy, that wants a CPU for 10 ms now and then and notes how long it
took to get them. Besides them, the supervisor's own word counts (`supervisor_stalled`), unless the
test froze it.

conftest.py repeats a failed test only if one of the three says so, and pytest's summary names it.
The second is easily heard: robot processes that start, at their real-time priority, fill two cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

from vla_common.process import end_with_parent
from vla_common.scheduling import WITNESS

STALL = 0.06
"""s of lateness that count. The driver stops the robot after 0.1 s without its supervisor."""

STARVED = 6.0
"""times as long as alone: what two cores have left for a thread when a dozen want them."""

NAP = 0.01
BURST, PAUSE = 0.01, 0.5


_heard: list[tuple[float, str]] = []


def heard(what: str) -> None:
    """Note the word of somebody else, e.g. the supervisor's."""
    _heard.append((time.monotonic(), what))


class StallWitness:
    """The watching process, and the stalls that were told so far."""

    def __init__(self) -> None:
        self._stalls: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            end, what = line.rstrip().split(maxsplit=1)
            self._stalls.append((float(end), what))

    def since(self, begin: float) -> list[str]:
        """What was noted since `begin`, in seconds of the monotonic clock."""
        return [what for end, what in [*self._stalls, *_heard] if end >= begin]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _watch(cpu: int) -> None:
    with suppress(OSError):
        os.sched_setaffinity(0, {cpu})  # of this thread
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(WITNESS))
    before = time.monotonic()
    while True:
        time.sleep(NAP)
        now = time.monotonic()
        late, before = now - before - NAP, now
        if late > STALL:
            _tell(now, f'the machine stood still for {1e3 * late:.0f} ms')


def _want() -> None:
    """In a process of its own: a starved thread that holds the GIL would hold up the others."""
    while True:
        time.sleep(PAUSE)
        begin, until = time.monotonic(), time.thread_time() + BURST
        while time.thread_time() < until:
            pass
        now = time.monotonic()
        if now - begin > STARVED * BURST:
            took = 1e3 * (now - begin)
            _tell(now, f'the machine gave a thread {1e3 * BURST:.0f} ms of CPU in {took:.0f} ms')


def _tell(now: float, what: str) -> None:
    os.write(1, f'{now:.3f} {what}\n'.encode())  # one write is one line, whoever else writes


def main() -> None:
    end_with_parent()
    if os.fork() == 0:
        end_with_parent()
        _want()
    for cpu in os.sched_getaffinity(0):
        threading.Thread(target=_watch, args=(cpu,), daemon=True).start()
    threading.Event().wait()


if __name__ == '__main__':
    main()
