# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Engines that run batches of requests, chosen by name: Ray Serve, or threads of this process."""

import asyncio
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_robot import load_robot
from vla_serving.ray_engine import RayEngine, RayParameters
from vla_serving.served_policy import check_served
from vla_serving.worker import Worker

ENGINES = ('ray', 'local')


class Engine(Protocol):
    """metadata: of the bundle, as the openpi protocol sends it."""

    metadata: dict[str, Any]

    def workers(self) -> int:
        """Number of running workers."""
        ...

    async def run(self, requests: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """One batch in one worker. Raises when the worker dies."""
        ...

    def close(self) -> None: ...


class LocalEngine:
    """Workers as threads of this process: no Ray, and a crash of one is a crash of all. threads: of
    the runtime in each worker. Raises ConfigError."""

    def __init__(
        self, bundle: str, robot: str, device: str = 'cpu', workers: int = 1, threads: int = 1
    ) -> None:
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for _ in range(workers):
            worker = Worker(bundle, robot, threads, device)
            self.metadata: dict[str, Any] = worker.metadata
            self._free.put(worker)
        self._count = workers
        self._pool = ThreadPoolExecutor(workers, 'worker')

    def workers(self) -> int:
        return self._count

    async def run(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, requests)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        worker = self._free.get()
        try:
            return worker.answer(requests)
        finally:
            self._free.put(worker)


def start_engine(
    name: str, bundle: str, robot: str, device: str, parameters: RayParameters
) -> Engine:
    """Raises ConfigError; for a bundle that cannot be served before any worker is started."""
    path = str(locate_bundle(bundle, installed_models(), '--bundle').resolve())
    content = load_bundle(path, load_robot(robot))
    check_served(content)
    if name == 'ray':
        return RayEngine(path, robot, device, parameters)
    return LocalEngine(path, robot, device, parameters.workers, parameters.threads)
