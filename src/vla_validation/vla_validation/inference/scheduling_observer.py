# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the machine itself does to a time limit, measured beside whatever else is measured.

On each processor a process with nothing to do sleeps, at a priority above everything of the
robot's, and notes how late it wakes. What it finds late no program could have had in time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from vla_common.scheduling import WITNESS
from vla_common.scheduling_delay import stolen_time
from vla_validation.inference.distribution import distribution

NAP = 0.003
STALL = 0.0005
"""s of lateness that count as the machine's."""


def stolen_here() -> float:
    """s that the hypervisor has kept from this process's processors since they started."""
    ours = {f'cpu{i}'.encode() for i in os.sched_getaffinity(0)}
    lines = Path('/proc/stat').read_bytes().splitlines()
    return sum(stolen_time(line) for line in lines if line.partition(b' ')[0] in ours)


class SchedulingObserver:
    """One process for each processor that notes how late it wakes, while the context lasts.

    stalls: (begin, end) on the clock of time.perf_counter, s, once `found` was asked."""

    def __enter__(self) -> SchedulingObserver:
        self._stolen = stolen_here()
        self.stalls: list[tuple[float, float]] = []
        self._processes = [
            subprocess.Popen(
                [sys.executable, '-m', __name__, str(processor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for processor in sorted(os.sched_getaffinity(0))
        ]
        return self

    def __exit__(self, *raised: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def found(self) -> dict[str, float]:
        """Ends it: how late it woke, ms, and what the hypervisor kept meanwhile, ms."""
        naps = []
        for process in self._processes:
            told, _ = process.communicate(timeout=30.0)
            naps += json.loads(told)
        self.stalls = [(due, due + late) for due, late in naps if late > STALL]
        late = distribution([max(0.0, late) for _, late in naps])
        return late | {'stolen_ms': round(1e3 * (stolen_here() - self._stolen), 1)}


def _watch(processor: int) -> None:
    """Until standard input ends; the last 100 000 naps at most."""
    import select
    from collections import deque

    os.sched_setaffinity(0, {processor})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(WITNESS))
    naps: deque[tuple[float, float]] = deque(maxlen=100_000)
    while not select.select([sys.stdin], [], [], 0.0)[0]:
        due = time.perf_counter() + NAP
        time.sleep(NAP)
        naps.append((due, time.perf_counter() - due))
    print(json.dumps(list(naps)))


if __name__ == '__main__':
    _watch(int(sys.argv[1]))
