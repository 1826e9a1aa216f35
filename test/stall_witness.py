# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Was it the machine? Tells when a shared machine stood still, so that a test can be repeated.

A robot whose processes do not get the CPU for 100 ms stops, as it must; a test about another fault
then fails, and has shown nothing. The witness is a process of its own with one thread per CPU, at
a real-time priority above all of the robot's, that sleeps and notes how late it wakes. Besides it,
the supervisor's own word counts (`supervisor_stalled`), unless the test froze it.

conftest.py repeats a failed test only if one of the two says so, and pytest's summary names both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

from vla_common.child import end_with_parent

STALL = 0.06
"""s of lateness that count. The driver stops the robot after 0.1 s without its supervisor."""

NAP = 0.01
ABOVE_THE_ROBOT = 45  # SCHED_FIFO; the supervisor has 35, the kernel's interrupt threads 50


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
            end, late = line.split()
            self._stalls.append((float(end), f'the machine stood still for {late} ms'))

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
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(ABOVE_THE_ROBOT))
    before = time.monotonic()
    while True:
        time.sleep(NAP)
        now = time.monotonic()
        late, before = now - before - NAP, now
        if late > STALL:
            print(f'{now:.3f} {1e3 * late:.0f}', flush=True)


def main() -> None:
    end_with_parent()
    for cpu in os.sched_getaffinity(0):
        threading.Thread(target=_watch, args=(cpu,), daemon=True).start()
    threading.Event().wait()


if __name__ == '__main__':
    main()
