# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Interleaved timing: each round runs every runner once, in a new order, on the same input.

Other load on the machine then affects all runners alike. CPU time of the process is recorded beside
wall time: it varies less on a busy machine.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_deploy.observations import Tensors


class Runner(Protocol):
    """Computes the outputs for an observation."""

    def run(self, inputs: Tensors) -> np.ndarray: ...


@dataclass(frozen=True)
class Times:
    """Wall and CPU time of each call, ms; energy of all calls, where the platform reports it."""

    wall_ms: np.ndarray
    cpu_ms: np.ndarray
    batch: int = 1
    energy_j: float | None = None

    def figures(self) -> dict[str, float | int | None]:
        """The distribution, rounded. Throughput is in observations per second."""
        wall = self.wall_ms
        p50, p95, p99 = np.percentile(wall, [50, 95, 99])
        energy = None if self.energy_j is None else round(1e3 * self.energy_j / len(wall), 3)
        return {
            'p50_ms': round(float(p50), 3),
            'p95_ms': round(float(p95), 3),
            'p99_ms': round(float(p99), 3),
            'min_ms': round(float(wall.min()), 3),
            'max_ms': round(float(wall.max()), 3),
            'std_ms': round(float(wall.std()), 3),
            'cpu_p50_ms': round(float(np.median(self.cpu_ms)), 3),
            'throughput_hz': round(1e3 * self.batch / float(p50), 2),
            'energy_mj': energy,
            'n': len(wall),
        }


def time_interleaved(
    runners: dict[str, Runner],
    inputs: Sequence[Tensors],
    rounds: int,
    *,
    warm_up: int = 5,
    batch: int = 1,
    energy: Callable[[], float | None] = lambda: None,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Times]:
    """Times of `rounds` calls of each runner, after `warm_up` rounds."""
    names = list(runners)
    wall = {name: np.zeros(rounds) for name in names}
    cpu = {name: np.zeros(rounds) for name in names}
    joules = dict.fromkeys(names, 0.0)
    measured = energy() is not None
    rng = np.random.default_rng(0)
    collecting = gc.isenabled()
    gc.disable()  # a collection is not the work of a runner
    try:
        for turn in range(-warm_up, rounds):
            tensors = inputs[turn % len(inputs)]
            for i in rng.permutation(len(names)):
                name = names[i]
                before = energy() if measured else None
                cpu_began, began = time.process_time(), time.perf_counter()
                runners[name].run(tensors)
                took, worked = time.perf_counter() - began, time.process_time() - cpu_began
                if turn >= 0:
                    wall[name][turn], cpu[name][turn] = 1e3 * took, 1e3 * worked
                    if before is not None:
                        joules[name] += (energy() or before) - before
            advance()
    finally:
        if collecting:
            gc.enable()
    return {
        name: Times(wall[name], cpu[name], batch, joules[name] if measured else None)
        for name in names
    }


def batched(tensors: Sequence[Tensors], batch: int) -> list[Tensors]:
    """Inputs of `batch` consecutive observations each."""
    count = len(tensors)
    return [
        {
            name: np.concatenate([tensors[(start + i) % count][name] for i in range(batch)])
            for name in tensors[0]
        }
        for start in range(count)
    ]
