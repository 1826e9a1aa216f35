# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Readings of the machine: processor, load, energy, and the memory of a process."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

RAPL = Path('/sys/class/powercap')


def processor() -> str:
    """Name of the processor and number of logical cores."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith(('model name', 'Model')):
                name = line.partition(':')[2].strip()
                break
    except OSError:
        pass
    return f'{name}, {os.cpu_count()} logical cores'


def load() -> float:
    """Load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def joules(root: Path = RAPL) -> float | None:
    """Energy counter of the processor packages (Linux powercap: Intel and AMD RAPL), J; None where
    there is none, as in most virtual machines."""
    total, found = 0.0, False
    for zone in sorted(root.glob('intel-rapl:[0-9]*')):
        if zone.name.count(':') != 1:
            continue  # part of a package
        try:
            total += int((zone / 'energy_uj').read_text()) / 1e6
            found = True
        except (OSError, ValueError):
            continue
    return total if found else None


_CHILD = """
import json, resource, sys
from pathlib import Path
import numpy as np
from vla_policy.bundle.bundle import load_bundle
from vla_policy.runtimes import load_runtime
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bundle = load_bundle(Path(sys.argv[1]), accept_failed=True)
runner = load_runtime(bundle, int(sys.argv[2]), sys.argv[3])
inputs = bundle.model.inputs.zeros()
for _ in range(5):
    runner.run(inputs)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {'peak_mb': after / 1e3, 'added_mb': (after - before) / 1e3}
if sys.argv[3] != 'cpu':
    import torch
    found['gpu_mb'] = torch.cuda.max_memory_allocated() / 1e6
print(json.dumps(found))
"""


def memory(bundle: Path, threads: int = 1, device: str = 'cpu') -> dict[str, float]:
    """Peak resident memory of a process that loads and runs the bundle, in MB, and the share of the
    bundle (with the library of its runtime)."""
    arguments = [sys.executable, '-c', _CHILD, str(bundle), str(threads), device]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else 'no output')
    return {k: round(v, 1) for k, v in json.loads(done.stdout.splitlines()[-1]).items()}
