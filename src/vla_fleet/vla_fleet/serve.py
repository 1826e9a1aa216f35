# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_fleet serve --bundle NAME|DIR --workers N --batch B`: one server for many robots.

A robot asks with policy:=ws://host:8000/its_name; the name is its own for limits and figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from vla_common.errors import ConfigError
from vla_fleet.admission import Admission
from vla_fleet.front import Front
from vla_fleet.ray_engine import RayEngine, RayParameters
from vla_inference.locate import installed_models, locate_bundle
from vla_inference.remote.openpi_server import Bounds, OpenPiServer


async def serve(front: Front, metadata: dict, args: argparse.Namespace) -> None:
    """Until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bounds = Bounds(clients=args.clients, rate=args.rate)
    async with OpenPiServer(front.infer, metadata, args.host, args.port, bounds) as server:
        print(f'{metadata["vla"]["name"]} at ws://{args.host}:{server.port}', flush=True)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), args.figures or None)
            except TimeoutError:
                print(json.dumps(front.figures.table()), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='serve', description=__doc__.split('\n')[0])
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--device', default='cpu', help='cpu or cuda:N')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0 for the whole network')
    parser.add_argument('--port', type=int, default=8000, help='0 takes a free one')
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--max-workers', type=int, default=0, help='above --workers: autoscaling')
    parser.add_argument('--batch', type=int, default=8, help='requests at most in one call')
    parser.add_argument('--wait', type=float, default=0.004, help='s for a batch to fill')
    parser.add_argument('--gpus', type=float, default=0.0, help='of each worker')
    parser.add_argument('--address', default='', help='of a Ray cluster; empty: our own')
    parser.add_argument('--timeout', type=float, default=0.5, help='s for one answer')
    parser.add_argument('--clients', type=int, default=64, help='connections at most')
    parser.add_argument('--rate', type=float, default=0.0, help='requests/s of a client, 0: any')
    parser.add_argument('--outstanding', type=int, default=64, help='calls in the engine')
    parser.add_argument(
        '--priority', action='append', default=[], metavar='NAME=N', help='higher goes first'
    )
    parser.add_argument('--figures', type=float, default=10.0, help='s between figures, 0: none')
    args = parser.parse_args(arguments)
    priorities = {}
    for pair in args.priority:
        name, _, number = pair.partition('=')
        try:
            priorities[name] = int(number)
        except ValueError:
            parser.error(f'--priority {pair}: wanted NAME=N')
    try:
        path = str(locate_bundle(args.bundle, installed_models(), '--bundle').resolve())
        engine = RayEngine(
            path,
            args.robot,
            args.device,
            RayParameters(
                workers=args.workers,
                max_workers=args.max_workers,
                batch=args.batch,
                wait=args.wait,
                gpus=args.gpus,
                address=args.address,
            ),
        )
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        front = Front(engine.ask, Admission(args.outstanding), args.timeout, priorities=priorities)
        asyncio.run(serve(front, engine.metadata, args))
    finally:
        engine.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
