# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_fleet simulate [--json]`: sixteen robots at one server, by workers and batch size,
and what becomes of them when a worker is killed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_fleet.admission import Admission
from vla_fleet.front import Front
from vla_fleet.ray_engine import RayEngine, RayParameters
from vla_fleet.robots import SimulatedRobot, ask_for
from vla_inference.locate import installed_models, locate_bundle
from vla_inference.remote.openpi_server import OpenPiServer
from vla_robot import load_robot


@contextlib.contextmanager
def running(front: Front, metadata: dict[str, Any]) -> Iterator[str]:
    """The server in a thread; its address."""
    started: threading.Event = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with OpenPiServer(front.infer, metadata, port=0) as server:
            found['url'] = f'ws://127.0.0.1:{server.port}'
            found['stop'] = lambda: loop.call_soon_threadsafe(stop.set)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    if not started.wait(30.0):
        raise ConfigError('simulate', 'server', 'nothing', 'a server that starts')
    try:
        yield found['url']
    finally:
        found['stop']()
        thread.join(10.0)


def load_test(
    url: str, metadata: dict[str, Any], robot: Any, robots: int, seconds: float, rate: float
) -> dict[str, float]:
    """Throughput and latency of `robots` that ask `rate` times a second each."""

    async def together() -> list[tuple[list[float], int]]:
        names = [f'robot{i}' for i in range(robots)]
        return await asyncio.gather(
            *(ask_for(url, metadata, robot, name, seconds, rate) for name in names)
        )

    results = asyncio.run(together())
    took = 1e3 * np.array([s for calls, _ in results for s in calls])
    return {
        'throughput_hz': round(len(took) / seconds, 1),
        'p50_ms': round(float(np.percentile(took, 50)), 1) if len(took) else -1.0,
        'p99_ms': round(float(np.percentile(took, 99)), 1) if len(took) else -1.0,
        'failed': sum(failed for _, failed in results),
    }


def kill_drill(url: str, engine: RayEngine, robot: Any, robots: int, timeout: float) -> dict:
    """Kill a worker under robots that run the node's cycle; how each went on."""
    fleet = [SimulatedRobot(f'{url}/robot{i}', robot, timeout) for i in range(robots)]
    for one in fleet:
        one.start()
    time.sleep(5.0)
    before = [one.life.chunks for one in fleet]
    for one in fleet:
        one.life.gap = 0.0
    os.kill(engine.a_worker(), signal.SIGKILL)
    time.sleep(12.0)
    after = [one.life.chunks for one in fleet]
    time.sleep(3.0)
    last = [one.life.chunks for one in fleet]
    for one in fleet:
        one.halt()
    for one in fleet:
        one.join(10.0)
    return {
        'robots': robots,
        'served_before': sum(count > 0 for count in before),
        'fell_back': sum(one.life.fallback_chunks > 0 for one in fleet),
        'instructions_aborted': sum(one.life.aborted for one in fleet),
        'back_in_ready': sum(one.life.ready for one in fleet),
        'served_after': sum(b > a for a, b in zip(after, last, strict=True)),
        'longest_without_chunk_s': round(max(one.life.gap for one in fleet), 3),
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Raises ConfigError."""
    robot = load_robot(args.robot)
    path = str(locate_bundle(args.bundle, installed_models(), '--bundle').resolve())
    table = []
    drill = None
    rows = len(args.workers) * len(args.batch)
    for workers in args.workers:
        for batch in args.batch:
            engine = RayEngine(
                path, args.robot, args.device, RayParameters(workers, batch=batch, gpus=args.gpus)
            )
            front = Front(engine.ask, Admission(4 * args.robots, 4), args.timeout)
            try:
                with running(front, engine.metadata) as url:
                    load_test(url, engine.metadata, robot, args.robots, 2.0, args.rate)
                    row = load_test(
                        url, engine.metadata, robot, args.robots, args.seconds, args.rate
                    )
                    table.append({'workers': workers, 'batch': batch} | row)
                    last = workers == args.workers[-1] and batch == args.batch[-1]
                    if last and not args.no_kill:
                        drill = kill_drill(url, engine, robot, args.robots, args.timeout)
            finally:
                rows -= 1
                engine.close(keep_ray=rows > 0)
    return {'load': os.getloadavg()[0], 'table': table, 'kill': drill}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='simulate', description=__doc__.split('\n')[0])
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--robots', type=int, default=16)
    parser.add_argument('--rate', type=float, default=1000.0, help='calls/s of a robot at most')
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--batch', type=int, nargs='+', default=[1, 4, 16])
    parser.add_argument('--seconds', type=float, default=10.0, help='of each row')
    parser.add_argument('--timeout', type=float, default=2.0, help='s for one answer')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--gpus', type=float, default=0.0, help='of each worker')
    parser.add_argument('--no-kill', action='store_true', help='leave the workers alone')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    args = parser.parse_args(arguments)
    try:
        found = run(args)
    except ConfigError as error:
        print(error, file=sys.stderr)
        if args.json:
            print(json.dumps({'error': str(error)}))
        return 1
    if args.json:
        print(json.dumps(found))
        return 0
    print(f'{args.robots} robots, {args.bundle} on {args.device}, load {found["load"]:.1f}')
    print(f'{"workers":>8s} {"batch":>6s} {"calls/s":>8s} {"p50 ms":>8s} {"p99 ms":>8s} failed')
    for r in found['table']:
        print(
            f'{r["workers"]:8d} {r["batch"]:6d} {r["throughput_hz"]:8.1f} {r["p50_ms"]:8.1f} '
            f'{r["p99_ms"]:8.1f} {r["failed"]:6d}'
        )
    if found['kill'] is not None:
        print('a worker killed: ' + ', '.join(f'{k} {v}' for k, v in found['kill'].items()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
