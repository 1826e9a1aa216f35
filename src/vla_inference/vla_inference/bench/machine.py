# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the machine itself does to a time limit, measured beside whatever else is measured.

A process with nothing to do sleeps on the same processors at the inference node's priority and
notes how late it wakes. What it finds late no program could have had in time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from vla_common.scheduling import Priority, prefer
from vla_inference.bench.distribution import distribution

NAP = 0.003
STEAL = 8  # which number of a processor's line in /proc/stat
TICK = 1.0 / os.sysconf('SC_CLK_TCK')


def stolen() -> float:
    """s that the hypervisor has kept from this process's processors since they started."""
    ours = {f'cpu{i}' for i in os.sched_getaffinity(0)}
    lines = (line.split() for line in Path('/proc/stat').read_text().splitlines())
    return TICK * sum(int(line[STEAL]) for line in lines if line[0] in ours)


class Witness:
    """A process that notes how late it wakes, while the context lasts."""

    def __enter__(self) -> Witness:
        self._stolen = stolen()
        self._process = subprocess.Popen(
            [sys.executable, '-m', __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.wait()

    def found(self) -> dict[str, float]:
        """Ends it: how late it woke, ms, and what the hypervisor kept meanwhile, ms."""
        told, _ = self._process.communicate(timeout=30.0)
        late = distribution([max(0.0, seconds) for seconds in json.loads(told)])
        return late | {'stolen_ms': round(1e3 * (stolen() - self._stolen), 1)}


def _watch() -> None:
    """Until standard input ends; the last 100 000 naps at most."""
    import select
    from collections import deque

    prefer(Priority.INFERENCE)
    late: deque[float] = deque(maxlen=100_000)
    while not select.select([sys.stdin], [], [], 0.0)[0]:
        began = time.perf_counter()
        time.sleep(NAP)
        late.append(time.perf_counter() - began - NAP)
    print(json.dumps(list(late)))


if __name__ == '__main__':
    _watch()
