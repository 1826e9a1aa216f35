# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy server in this process, and its clients in another, so that they do not share its
interpreter's lock and are not measured with it."""

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_robot import load_robot
from vla_serving.openpi_server import Infer, OpenPiServer
from vla_validation.fleet.robots import request_repeatedly

SPAWN = multiprocessing.get_context('spawn')


@contextlib.contextmanager
def running(infer: Infer, metadata: dict[str, Any]) -> Iterator[str]:
    """The server in a thread; its address. `infer` runs in the server's event loop."""
    started: threading.Event = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with OpenPiServer(infer, metadata, port=0) as server:
            found['url'] = f'ws://127.0.0.1:{server.port}'
            found['stop'] = lambda: loop.call_soon_threadsafe(stop.set)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    if not started.wait(30.0):
        raise ConfigError('vla_serving', 'server', 'nothing', 'a server that starts')
    try:
        yield found['url']
    finally:
        found['stop']()
        thread.join(10.0)


def load(
    url: str, metadata: dict[str, Any], robot: str, robots: int, seconds: float, rate: float
) -> dict[str, float]:
    """Throughput and latency of `robots` that call `rate` times a second each, or as fast as they
    are answered where that is slower."""
    body = load_robot(robot)

    async def together() -> list[tuple[list[float], int]]:
        return await asyncio.gather(
            *(
                request_repeatedly(url, metadata, body, f'robot{i}', seconds, rate)
                for i in range(robots)
            )
        )

    results = asyncio.run(together())
    took = 1e3 * np.array([s for calls, _ in results for s in calls])
    return {
        'calls': len(took),
        'throughput_hz': round(len(took) / seconds, 1),
        'p50_ms': round(float(np.percentile(took, 50)), 1) if len(took) else -1.0,
        'p99_ms': round(float(np.percentile(took, 99)), 1) if len(took) else -1.0,
        'failed': sum(failed for _, failed in results),
    }


@contextlib.contextmanager
def elsewhere() -> Iterator[Callable[..., Any]]:
    """call(function, *arguments) in a process of its own, which stays for the next call."""
    with SPAWN.Pool(1) as pool:
        yield lambda function, *arguments: pool.apply(function, arguments)
