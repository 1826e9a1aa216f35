# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation fleet``: robots at one policy server, by engine, number of workers and
batch size, and how they recover when workers are killed."""

import argparse
import asyncio
import contextlib
import datetime
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vla_common.terminal import working
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
    """Where batching lost to one by one: fewer calls, or as many and a longer p99. (Each robot
    sends its next request on an answer: more calls are shorter ones.)"""
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


def run(args: argparse.Namespace, log: Callable[[str], None]) -> dict[str, Any]:
    """The result. log: reports what is being measured. Raises ConfigError."""
    table: list[dict[str, Any]] = []
    kills: list[dict[str, Any]] = []
    started: dict[str, float] = {}
    with elsewhere() as call:
        with alone(args) as (url, metadata):
            log('vla_serving serve')
            table += measured(call, url, metadata, args, None, 1, 'vla_serving serve')
        for name in args.engine:
            for workers in args.workers:
                log(f'{name}, {workers} workers')
                parameters = RayParameters(workers, gpus=args.gpus)
                began = time.monotonic()
                engine = start_engine(name, args.bundle, args.robot, args.device, parameters)
                started.setdefault(name, round(time.monotonic() - began, 1))
                last = workers == args.workers[-1]
                try:
                    sizes = SizedEngine(engine, args.robots, args.timeout)
                    with running(sizes.infer, engine.metadata) as url:
                        table += measured(call, url, engine.metadata, args, sizes, workers, name)
                        if last and isinstance(engine, RayEngine) and not args.no_kill:
                            sizes.set(args.batch[-1], ANSWER_WITHIN)
                            for count in sorted({1, workers}):
                                pids = engine.pids()[:count]
                                outcome = kill(url, pids, args.robot, args.robots)
                                kills.append({'workers': workers} | outcome)
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


COLUMNS = ('engine', 'workers', 'batch', 'throughput_hz', 'p50_ms', 'p99_ms', 'batched', 'failed')
KILL_COLUMNS = (
    'killed', 'workers', 'robots', 'fell_back', 'silence_s', 'falls_back_within_s',
    'in_ready_again', 'served_again', 'served_again_s',
)  # fmt: skip


def text(found: dict[str, Any]) -> str:
    """The result, for the operator."""
    lines = [f'{found["date"]}, {found["machine"]}, load {found["load"]:g}']
    for columns, rows in ((COLUMNS, found['table']), (KILL_COLUMNS, found['kill'])):
        if rows:
            lines.append(report.table(columns, [[row[c] for c in columns] for row in rows]))
    lines += [f'batching lost: {line}' for line in found['batching_lost']] or [
        f'batching never lost to one by one by more than {100.0 * NOISE:g} %'
    ]
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = report.parser(
        'fleet',
        'Measure robots at one policy server, by engine, number of workers and batch size, and\n'
        'how they recover when workers are killed.',
        'Exit status 0: neither batching nor a robot lost; 1: otherwise, or not measured.\n\n'
        'examples:\n  ros2 run vla_validation fleet --engine local --robots 4\n'
        '  ros2 run vla_validation fleet --engine ray --workers 1 2 --json',
    )
    parser.formatter_class = _Help
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--robots', type=int, default=16, help='number of robots')
    parser.add_argument(
        '--rate', type=float, default=1000.0, help='largest number of calls/s of a robot'
    )
    parser.add_argument(
        '--engine', nargs='+', choices=ENGINES, default=['local', 'ray'], help='engines to measure'
    )
    parser.add_argument(
        '--workers', type=int, nargs='+', default=[1, 2], help='numbers of workers of an engine'
    )
    parser.add_argument('--batch', type=int, nargs='+', default=[1, 4, 16], help='batch sizes')
    parser.add_argument('--seconds', type=float, default=9.0, help='duration of a row, s')
    parser.add_argument('--rounds', type=int, default=3, help='rounds that each row is measured in')
    parser.add_argument('--timeout', type=float, default=2.0, help='longest wait for an answer, s')
    parser.add_argument('--device', default='cpu', help='device of the policy: cpu or cuda:N')
    parser.add_argument('--gpus', type=float, default=0.0, help='GPUs of each worker')
    parser.add_argument('--no-kill', action='store_true', help='kill no worker')
    args = parser.parse_args(arguments)
    args.batch = sorted({1, *args.batch})

    def work() -> tuple[dict[str, Any], int]:
        with working() as log:
            found = run(args, log)
        if not args.json:
            print(f'{args.robots} robots, {args.bundle} on {args.device}\n{text(found)}')
        return found, 1 if found['batching_lost'] or found['robots_lost'] else 0

    return report.run('fleet', work, args.json, failed=1)


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Line breaks as written, and the default of each option."""
