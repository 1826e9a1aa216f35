# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The machine under a measurement: other load on it, and how late it lets a process run.

`python -m vla_validation.system_harness.machine PROCESSOR NAP THRESHOLD` is one observing process:
it answers each line on standard input with the records since the last one, until the input ends.
"""

import contextlib
import json
import multiprocessing
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from vla_common.distribution import distribution
from vla_common.scheduling import WITNESS
from vla_common.scheduling_delay import stolen_time

NAP = 0.003
"""s that an observing process sleeps at a time."""

STALL = 0.0005
"""s of lateness that count as the machine's in a measurement."""

BURST, PAUSE = 0.01, 0.5
"""s of processor time that the starvation check requests, and s between two of them."""

_ANY = -1
"""Instead of a processor: the starvation check, at ordinary priority on any of them."""


def _burn() -> None:
    while os.getppid() != 1:  # ends with its parent, however that ends
        for _ in range(100_000):
            pass


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Load: so many processes that only count, at ordinary priority."""
    context = multiprocessing.get_context('spawn')
    burners = [context.Process(target=_burn, daemon=True) for _ in range(processes)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def steal_time() -> float:
    """s that the hypervisor has kept from this process's processors since they started."""
    ours = {f'cpu{i}'.encode() for i in os.sched_getaffinity(0)}
    lines = Path('/proc/stat').read_bytes().splitlines()
    return sum(stolen_time(line) for line in lines if line.partition(b' ')[0] in ours)


class SchedulingObserver:
    """Processes that observe how late the machine lets them run, while the context lasts.

    One per processor sleeps, at a priority above everything of the robot's: what it finds late no
    program could have had in time.

    Args:
        nap: s of sleep.
        threshold: s of lateness from which it is recorded; negative: every nap is.
        starvation: s; also record when a process of ordinary priority (as camera and policy have)
            waits longer than this for `BURST` s of processor time. 0: do not.
    """

    def __init__(self, nap: float = NAP, threshold: float = -1.0, starvation: float = 0.0) -> None:
        self._nap, self._threshold, self._starvation = nap, threshold, starvation
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self._stolen = steal_time()
        arguments = [(p, self._nap, self._threshold) for p in sorted(os.sched_getaffinity(0))]
        if self._starvation > 0.0:
            arguments.append((_ANY, PAUSE, self._starvation))
        pipe = subprocess.PIPE
        self._processes = [
            subprocess.Popen(
                [sys.executable, '-m', __name__, *map(str, row)], stdin=pipe, stdout=pipe, text=True
            )
            for row in arguments
        ]
        self.records()  # from here on every process observes
        return self

    def __exit__(self, *raised: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def records(self) -> list[tuple[float, float]]:
        """(begin, s late) since the last call; `begin` as time.perf_counter and time.monotonic
        have it. The latest 100 000 of each process at most."""
        found = []
        for process in self._processes:
            with contextlib.suppress(BrokenPipeError):
                print(file=process.stdin, flush=True)
                found += [(begin, late) for begin, late in json.loads(process.stdout.readline())]
        return found

    def summary(self) -> tuple[dict[str, float | int | None], list[tuple[float, float]]]:
        """Distribution of the lateness and the stolen time, ms; (begin, end) of each stall."""
        records = self.records()
        late = distribution([1e3 * max(0.0, late) for _, late in records])
        stolen = round(1e3 * (steal_time() - self._stolen), 1)
        stalls = [(begin, begin + late) for begin, late in records if late > STALL]
        return late | {'stolen_ms': stolen}, stalls


def _nap(seconds: float) -> tuple[float, float]:
    due = time.perf_counter() + seconds
    time.sleep(seconds)
    return due, time.perf_counter() - due


def _burst(pause: float) -> tuple[float, float]:
    select.select([sys.stdin], [], [], pause)  # a question ends the pause
    begin, until = time.perf_counter(), time.thread_time() + BURST
    while time.thread_time() < until:
        pass
    return begin, time.perf_counter() - begin - BURST


def main(processor: int, nap: float, threshold: float) -> None:
    """Observe until standard input ends."""
    step = _burst if processor == _ANY else _nap
    if processor != _ANY:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {processor})
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(WITNESS))
    records: deque[tuple[float, float]] = deque(maxlen=100_000)
    while True:
        begin, late = step(nap)
        if late > threshold:
            records.append((begin, late))
        if select.select([sys.stdin], [], [], 0.0)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps(list(records)), flush=True)
            records.clear()


if __name__ == '__main__':
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
