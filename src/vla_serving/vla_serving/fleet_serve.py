# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_serving serve --bundle NAME|DIR --workers N --batch B`: one server for many robots.

A robot asks with policy:=ws://host:8000/its_name; the name is its own for limits and figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys

from vla_common.errors import ConfigError
from vla_serving.admission import Admission
from vla_serving.batches import Batches
from vla_serving.engine import Engine, start_engine
from vla_serving.gateway import Gateway
from vla_serving.openpi_server import OpenPiServer, RequestBounds
from vla_serving.ray_engine import RayParameters


async def serve(engine: Engine, args: argparse.Namespace, priorities: dict[str, int]) -> None:
    """Until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    batches = Batches(engine.run, args.batch, engine.workers)
    admission = Admission(args.outstanding, args.per_client)
    front = Gateway(batches.ask, admission, args.timeout, priorities=priorities)
    bounds = RequestBounds(clients=args.clients, rate=args.rate)
    metadata = engine.metadata
    async with OpenPiServer(front.infer, metadata, args.host, args.port, bounds) as server:
        print(
            f'{metadata["vla"]["name"]} at ws://{args.host}:{server.port}/NAME_OF_ROBOT, '
            f'{engine.workers()} workers',
            flush=True,
        )
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), args.figures or None)
            except TimeoutError:
                told = {'workers': engine.workers(), 'robots': front.figures.table()}
                print(json.dumps(told), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog='fleet_serve',
        description=__doc__.split('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument(
        '--engine', choices=('ray', 'local'), default='ray', help='local: threads here, no Ray'
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda:N')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0 for the whole network')
    parser.add_argument('--port', type=int, default=8000, help='0 takes a free one')
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--max-workers', type=int, default=0, help='above --workers: autoscaling')
    parser.add_argument('--batch', type=int, default=16, help='requests at most in one call')
    parser.add_argument('--threads', type=int, default=1, help='of the runtime in each worker')
    parser.add_argument('--gpus', type=float, default=0.0, help='of each worker')
    parser.add_argument('--address', default='', help='of a Ray cluster; empty: our own')
    parser.add_argument('--start', type=float, default=120.0, help='s for Ray, then for workers')
    parser.add_argument('--timeout', type=float, default=0.4, help='s for one answer')
    parser.add_argument('--clients', type=int, default=64, help='connections at most')
    parser.add_argument('--rate', type=float, default=0.0, help='requests/s of a client, 0: any')
    parser.add_argument('--per-client', type=int, default=2, help='calls of one client at once')
    parser.add_argument('--outstanding', type=int, default=64, help='calls of all at once')
    parser.add_argument(
        '--priority', action='append', default=[], metavar='NAME=N', help='higher goes first'
    )
    parser.add_argument('--figures', type=float, default=10.0, help='s between figures, 0: none')
    args = parser.parse_args(arguments)
    if args.workers < 1 or args.batch < 1:
        parser.error('--workers and --batch must be at least 1')
    priorities = {}
    for pair in args.priority:
        name, _, number = pair.partition('=')
        try:
            priorities[name] = int(number)
        except ValueError:
            parser.error(f'--priority {pair}: wanted NAME=N')
    try:
        # Before the workers, which take long to come up.
        socket.create_server((args.host, args.port)).close()
        parameters = RayParameters(
            workers=args.workers,
            max_workers=args.max_workers,
            gpus=args.gpus,
            threads=args.threads,
            address=args.address,
            start=args.start,
        )
        engine = start_engine(args.engine, args.bundle, args.robot, args.device, parameters)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f'--host {args.host} --port {args.port}: {error.strerror}', file=sys.stderr)
        return 1
    try:
        asyncio.run(serve(engine, args, priorities))
    finally:
        engine.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
