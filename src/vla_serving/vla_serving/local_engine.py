# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Workers as threads of this process: one machine, no Ray. A crash of one is a crash of all."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vla_serving.worker import Worker


class LocalEngine:
    """threads: of the runtime in each worker. Raises ConfigError."""

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
