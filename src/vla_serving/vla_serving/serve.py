# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_serving serve --bundle NAME|DIR`: a bundle behind the openpi protocol."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vla_common.errors import ConfigError
from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_policy.load import load_policy
from vla_robot import load_robot
from vla_serving.openpi_server import OpenPiServer, RequestBounds
from vla_serving.served_policy import ServedPolicy


async def serve(served: ServedPolicy, host: str, port: int, bounds: RequestBounds, ready) -> None:
    """Until SIGINT or SIGTERM. One call at a time: a model is not for several threads."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(1, 'policy') as worker:

        async def infer(client: str, request: dict[str, Any]) -> dict[str, Any]:
            return await loop.run_in_executor(worker, served.answer, request)

        async with OpenPiServer(infer, served.metadata, host, port, bounds) as server:
            ready(server.port)
            await stop.wait()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='serve', description=__doc__)
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0 for the whole network')
    parser.add_argument('--port', type=int, default=8000, help='0 takes a free one')
    parser.add_argument('--threads', type=int, default=1, help='threads of the runtime')
    parser.add_argument('--device', default='cpu', help='cpu or cuda:N')
    parser.add_argument('--clients', type=int, default=RequestBounds.clients, help='at most')
    parser.add_argument('--rate', type=float, default=0.0, help='requests/s of a client, 0: any')
    args = parser.parse_args(arguments)
    try:
        robot = load_robot(args.robot)
        path = locate_bundle(args.bundle, installed_models(), '--bundle')
        policy = load_policy(path, robot, threads=args.threads, device=args.device)
        served = ServedPolicy(policy, robot)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1

    def ready(port: int) -> None:
        print(f'{policy.bundle.title} at ws://{args.host}:{port}', flush=True)

    try:
        bounds = RequestBounds(clients=args.clients, rate=args.rate)
        asyncio.run(serve(served, args.host, args.port, bounds, ready))
    except OSError as error:
        print(f'--port {args.port}: {error.strerror or error}', file=sys.stderr)
        return 1
    policy.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
