# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation fleet``: robots at one policy server, by engine, number of workers and
batch size, and how they go on when workers are killed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_policy.load import load_policy
from vla_robot import load_robot
from vla_serving.admission import Admission
from vla_serving.batches import Batches
from vla_serving.engine import ENGINES, Engine, start_engine
from vla_serving.gateway import Gateway
from vla_serving.ray_engine import RayEngine, RayParameters
from vla_serving.served_policy import ServedPolicy
from vla_validation import report
from vla_validation.fleet.running import elsewhere, load, running
from vla_validation.fleet.worker_failures import kept, kill

ANSWER_WITHIN = 0.4
"""s, as for `serve`: a robot's own deadline is 0.5."""
NOISE = 0.05
"""Share by which two runs of the same setting differ; less is not called a loss."""


class SizedEngine:
    """An engine behind the openpi protocol, whose batch size can be changed while it runs."""

    def __init__(self, engine: Engine, robots: int, timeout: float) -> None:
        self._engine = engine
        self._admission = Admission(4 * robots, 4)
        self._timeout = timeout
        self.set(1)

    def set(self, size: int, timeout: float = 0.0) -> None:
        """timeout: s for one answer, 0 for what it was."""
        self._timeout = timeout or self._timeout
        self.batches = Batches(self._engine.run, size, self._engine.workers)
        self._gateway = Gateway(self.batches.ask, self._admission, self._timeout)

    async def infer(self, client: str, request: dict[str, Any]) -> dict[str, Any]:
        return await self._gateway.infer(client, request)

    def mean(self) -> float:
        """Requests in a batch."""
        sizes = self.batches.sizes
        return sum(n * count for n, count in sizes.items()) / max(1, sum(sizes.values()))


def measured(
    call: Callable[..., Any],
    url: str,
    metadata: dict[str, Any],
    args: argparse.Namespace,
    sizes: SizedEngine | None,
    workers: int,
    engine: str,
) -> list[dict[str, Any]]:
    """A row for each batch size: in turns, so that other load on the machine meets them all."""
    batches = args.batch if sizes else [1]
    rounds: dict[int, list[dict[str, Any]]] = {batch: [] for batch in batches}
    for round_ in range(args.rounds + 1):
        for batch in batches:
            if sizes:
                sizes.set(batch)
            # The first round warms up.
            seconds = args.seconds / args.rounds if round_ else 1.0
            row = call(load, url, metadata, args.robot, args.robots, seconds, args.rate)
            row['batched'] = round(sizes.mean(), 1) if sizes else 1.0
            if round_:
                rounds[batch].append(row)
    return [
        {'engine': engine, 'workers': workers, 'batch': batch} | _together(rows)
        for batch, rows in rounds.items()
    ]


def _together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The median round by throughput; failures of all."""
    middle = sorted(rows, key=lambda row: row['throughput_hz'])[len(rows) // 2]
    return middle | {'failed': sum(row['failed'] for row in rows)}


@contextlib.contextmanager
def alone(args: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """`ros2 run vla_serving serve`: one policy, one request after the other."""
    robot = load_robot(args.robot)
    path = locate_bundle(args.bundle, installed_models(), '--bundle')
    served = ServedPolicy(load_policy(path, robot, device=args.device), robot)
    with ThreadPoolExecutor(1, 'policy') as worker:

        async def infer(client: str, request: dict[str, Any]) -> dict[str, Any]:
            return await asyncio.get_running_loop().run_in_executor(worker, served.answer, request)

        with running(infer, served.metadata) as url:
            yield url, served.metadata
    served.policy.close()


def losses(table: list[dict[str, Any]]) -> list[str]:
    """Where batching lost to one by one: fewer calls, or as many and a longer p99. (Each robot asks
    again as soon as it is answered: more calls are shorter ones.)"""
    found = []
    for row in table:
        base = next(
            r
            for r in table
            if (r['engine'], r['workers']) == (row['engine'], row['workers']) and r['batch'] == 1
        )
        fewer = row['throughput_hz'] < (1.0 - NOISE) * base['throughput_hz']
        more = row['throughput_hz'] > (1.0 + NOISE) * base['throughput_hz']
        later = row['p99_ms'] > (1.0 + NOISE) * base['p99_ms']
        if row['batch'] > 1 and (fewer or (later and not more)):
            found.append(
                f'{row["engine"]}, {row["workers"]} workers, batch {row["batch"]}: '
                f'{row["throughput_hz"]:g} calls/s, p99 {row["p99_ms"]:g} ms against '
                f'{base["throughput_hz"]:g} and {base["p99_ms"]:g}'
            )
    return found


def run(args: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Raises ConfigError."""
    table: list[dict[str, Any]] = []
    kills: list[dict[str, Any]] = []
    started: dict[str, float] = {}
    with elsewhere() as call:
        with alone(args) as (url, metadata):
            table += measured(call, url, metadata, args, None, 1, 'vla_serving serve')
            say(_line(table[-1]))
        for name in args.engine:
            for workers in args.workers:
                parameters = RayParameters(workers, gpus=args.gpus)
                began = time.monotonic()
                engine = start_engine(name, args.bundle, args.robot, args.device, parameters)
                started.setdefault(name, round(time.monotonic() - began, 1))
                last = workers == args.workers[-1]
                try:
                    sizes = SizedEngine(engine, args.robots, args.timeout)
                    with running(sizes.infer, engine.metadata) as url:
                        rows = measured(call, url, engine.metadata, args, sizes, workers, name)
                        for row in rows:
                            say(_line(row))
                        table += rows
                        if last and isinstance(engine, RayEngine) and not args.no_kill:
                            sizes.set(args.batch[-1], ANSWER_WITHIN)
                            for count in sorted({1, workers}):
                                outcome = kill(url, engine.pids()[:count], args.robot, args.robots)
                                kills.append({'workers': workers} | outcome)
                                say(_kill_line(kills[-1]))
                finally:
                    if isinstance(engine, RayEngine):
                        engine.close(keep_ray=not last)
                    else:
                        engine.close()
    cores = len(os.sched_getaffinity(0))
    return {
        'machine': f'{platform.machine()}, {cores} of {os.cpu_count()} cores',
        'date': datetime.date.today().isoformat(),
        'load': round(os.getloadavg()[0], 1),
        'started_s': started,
        'table': table,
        'batching_lost': losses(table),
        'kill': kills,
        'robots_lost': sum(not kept(outcome) for outcome in kills),
    }


HEAD = (
    f'{"engine":20s} {"workers":>7s} {"batch":>5s} {"calls/s":>8s} {"p50 ms":>7s} {"p99 ms":>7s} '
    f'{"batched":>7s} {"failed":>6s}'
)


def _line(row: dict[str, Any]) -> str:
    return (
        f'{row["engine"]:20s} {row["workers"]:7d} {row["batch"]:5d} {row["throughput_hz"]:8.1f} '
        f'{row["p50_ms"]:7.1f} {row["p99_ms"]:7.1f} {row["batched"]:7.1f} {row["failed"]:6d}'
    )


def _kill_line(d: dict[str, Any]) -> str:
    return (
        f'{d["killed"]} of {d["workers"]} workers killed under {d["robots"]} robots: '
        f'{d["fell_back"]} fell back; longest without a chunk {d["silence_s"]:g} s '
        f'(allowed {d["falls_back_within_s"]:g}); {d["in_ready_again"]} of these in READY again, '
        f'{d["served_again"]} served again, the last after {d["served_again_s"]:g} s'
    )


def main(arguments: list[str] | None = None) -> int:
    parser = report.parser(
        'fleet',
        'Measure robots at one policy server, by engine, number of workers and batch size, and\n'
        'how they go on when workers are killed.',
        'Exit status 0: neither batching nor a robot lost; 1: otherwise, or not measured.\n\n'
        'examples:\n  ros2 run vla_validation fleet --engine local --robots 4\n'
        '  ros2 run vla_validation fleet --engine ray --workers 1 2 --json',
    )
    parser.formatter_class = _Help
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--robots', type=int, default=16, help='number of robots')
    parser.add_argument('--rate', type=float, default=1000.0, help='calls/s of a robot at most')
    parser.add_argument(
        '--engine', nargs='+', choices=ENGINES, default=['local', 'ray'], help='engines'
    )
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2], help='of an engine')
    parser.add_argument('--batch', type=int, nargs='+', default=[1, 4, 16], help='batch sizes')
    parser.add_argument('--seconds', type=float, default=9.0, help='of each row')
    parser.add_argument('--rounds', type=int, default=3, help='that these are measured in')
    parser.add_argument('--timeout', type=float, default=2.0, help='s for one answer')
    parser.add_argument('--device', default='cpu', help='of the policy')
    parser.add_argument('--gpus', type=float, default=0.0, help='of each worker')
    parser.add_argument('--no-kill', action='store_true', help='leave the workers alone')
    args = parser.parse_args(arguments)
    args.batch = sorted({1, *args.batch})

    def say(line: str) -> None:
        if not args.json:
            print(line, flush=True)

    def work() -> tuple[dict[str, Any], int]:
        say(f'{args.robots} robots, {args.bundle} on {args.device}\n{HEAD}')
        found = run(args, say)
        say(f'{found["date"]}, {found["machine"]}, load {found["load"]:g}')
        for line in found['batching_lost']:
            say(f'batching lost: {line}')
        if not found['batching_lost']:
            say(f'batching never lost to one by one by more than {100.0 * NOISE:g} %')
        return found, 1 if found['batching_lost'] or found['robots_lost'] else 0

    return report.run('fleet', work, args.json, failed=1)


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Line breaks as written, and the default of each option."""


if __name__ == '__main__':
    sys.exit(main())
