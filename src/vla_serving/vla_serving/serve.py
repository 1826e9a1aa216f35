# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_serving serve --bundle NAME|DIR`: a bundle behind the openpi protocol.

Without --workers one model in this process answers one request after the other. With --workers N
requests are batched over N workers (Ray Serve, or threads) for a fleet of robots: a robot connects
with policy:=ws://host:8000/its_name, and limits and metrics are by that name.
"""

import argparse
import asyncio
import json
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vla_common.errors import ConfigError
from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_policy.load import load_policy
from vla_robot import load_robot
from vla_serving.admission import Admission
from vla_serving.batches import Batches
from vla_serving.engine import ENGINES, Engine, start_engine
from vla_serving.gateway import Gateway
from vla_serving.openpi_server import OpenPiServer, RequestBounds
from vla_serving.ray_engine import RayParameters
from vla_serving.served_policy import ServedPolicy


async def serve_policy(served: ServedPolicy, args: argparse.Namespace) -> None:
    """Until SIGINT or SIGTERM. One call at a time: a model is not thread-safe."""
    stop = _stop_event()
    with ThreadPoolExecutor(1, 'policy') as worker:

        async def infer(client: str, request: dict[str, Any]) -> dict[str, Any]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(worker, served.answer, request)

        bounds = RequestBounds(clients=args.clients, rate=args.rate)
        async with OpenPiServer(infer, served.metadata, args.host, args.port, bounds) as server:
            print(f'{served.policy.bundle.title} at ws://{args.host}:{server.port}', flush=True)
            await stop.wait()


async def serve_fleet(engine: Engine, args: argparse.Namespace) -> None:
    """Until SIGINT or SIGTERM."""
    stop = _stop_event()
    batches = Batches(engine.run, args.batch, engine.workers)
    admission = Admission(args.outstanding, args.per_client)
    gateway = Gateway(batches.ask, admission, args.timeout, priorities=dict(args.priority))
    bounds = RequestBounds(clients=args.clients, rate=args.rate)
    metadata = engine.metadata
    async with OpenPiServer(gateway.infer, metadata, args.host, args.port, bounds) as server:
        print(
            f'{metadata["vla"]["name"]} at ws://{args.host}:{server.port}/NAME_OF_ROBOT, '
            f'{engine.workers()} workers',
            flush=True,
        )
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), args.figures or None)
            except TimeoutError:
                report = {'workers': engine.workers(), 'robots': gateway.figures.table()}
                print(json.dumps(report), flush=True)


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def main(arguments: list[str] | None = None) -> int:
    args = _parse(arguments)
    try:
        # Before models and workers, which take long to start.
        socket.create_server((args.host, args.port)).close()
        if args.workers:
            _run_fleet(args)
        else:
            _run_policy(args)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f'--host {args.host} --port {args.port}: {error.strerror or error}', file=sys.stderr)
        return 1
    return 0


def _run_policy(args: argparse.Namespace) -> None:
    robot = load_robot(args.robot)
    path = locate_bundle(args.bundle, installed_models(), '--bundle')
    policy = load_policy(path, robot, threads=args.threads, device=args.device)
    asyncio.run(serve_policy(ServedPolicy(policy, robot), args))
    policy.close()


def _run_fleet(args: argparse.Namespace) -> None:
    parameters = RayParameters(
        workers=args.workers,
        max_workers=args.max_workers,
        gpus=args.gpus,
        threads=args.threads,
        address=args.address,
        start=args.start,
    )
    engine = start_engine(args.engine, args.bundle, args.robot, args.device, parameters)
    try:
        asyncio.run(serve_fleet(engine, args))
    finally:
        engine.close()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='serve',
        description=__doc__.split('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--device', default='cpu', help='cpu or cuda:N')
    parser.add_argument(
        '--threads', type=int, default=1, help='threads of the runtime in each worker'
    )
    parser.add_argument(
        '--host', default='127.0.0.1', help='address to listen at; 0.0.0.0: the whole network'
    )
    parser.add_argument('--port', type=int, default=8000, help='port to listen at; 0: a free one')
    parser.add_argument('--clients', type=int, default=64, help='largest number of connections')
    parser.add_argument(
        '--rate', type=float, default=0.0, help='largest number of requests/s of a client; 0: any'
    )
    parser.add_argument(
        '--workers', type=int, default=0, help='number of workers; 0: one model in this process'
    )
    fleet = parser.add_argument_group('with --workers')
    fleet.add_argument(
        '--engine',
        choices=ENGINES,
        default='ray',
        help='where workers run; local: threads, without Ray',
    )
    fleet.add_argument(
        '--max-workers',
        type=int,
        default=0,
        help='largest number of workers; above --workers: autoscaling',
    )
    fleet.add_argument(
        '--batch', type=int, default=16, help='largest number of requests in one call'
    )
    fleet.add_argument('--gpus', type=float, default=0.0, help='GPUs of each worker')
    fleet.add_argument('--address', default='', help='address of a Ray cluster; empty: start one')
    fleet.add_argument(
        '--start',
        type=float,
        default=120.0,
        help='longest start of Ray, and then of the workers, s',
    )
    fleet.add_argument('--timeout', type=float, default=0.4, help='longest wait for an answer, s')
    fleet.add_argument(
        '--per-client', type=int, default=2, help='largest number of pending calls of one client'
    )
    fleet.add_argument(
        '--outstanding', type=int, default=64, help='largest number of pending calls of all clients'
    )
    fleet.add_argument(
        '--priority',
        action='append',
        default=[],
        metavar='NAME=N',
        help='priority of a client; a higher one goes first',
    )
    fleet.add_argument(
        '--figures', type=float, default=10.0, help='time between lines of metrics, s; 0: none'
    )
    args = parser.parse_args(arguments)
    if args.workers < 0 or args.batch < 1:
        parser.error('--workers must be at least 0, --batch at least 1')
    priorities = []
    for pair in args.priority:
        name, _, number = pair.partition('=')
        try:
            priorities.append((name, int(number)))
        except ValueError:
            parser.error(f'--priority {pair}: wanted NAME=N')
    args.priority = priorities
    return args


if __name__ == '__main__':
    sys.exit(main())
