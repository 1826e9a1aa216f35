# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy benchmark`: bundles side by side, taking turns."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.table import Table

from vla_common.terminal import console, guarded, parser, positive, progress
from vla_deploy.atomic_io import as_json
from vla_deploy.charts import Bar, draw_bars
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.timing.benchmark import Entry, benchmark, best_of, sweep_batches, unique_names
from vla_deploy.timing.platform import load, memory, processor
from vla_robot import load_robot

EPILOG = """\
Each round runs every bundle once, in a new order, on the same observation, so that a noisy machine
favours none; the original in eager PyTorch takes part where the first bundle names its source, and
is what speed-ups are relative to (else: the first bundle). CPU time is told beside wall time.
cosine and max_error_rad compare with the original, or else with the first bundle. best: the fastest
that is the same policy: cosine >= 0.999 and no joint off by more than 0.1 rad, or judged no worse
in closed loop beside the very model of the first bundle (`prune --scenes`, `verify --scenes`; in
the table: acts). Why one is not stands below the table.

examples:
  ros2 run vla_deploy benchmark models/humanoid_vla /tmp/int8 /tmp/pruned --json
  ros2 run vla_deploy benchmark models/humanoid_vla --threads 1 2 4 --batch 1 16 --plot a.png"""


def table_of(entries: list[Entry]) -> Table:
    """For people."""
    head = ('bundle', 'p50 ms', 'p95', 'p99', 'CPU p50', 'MB', 'cosine', 'rad', 'speed-up', 'CPU',
            'same')  # fmt: skip
    refused = [f'{entry.name}: {entry.reason}' for entry in entries if not entry.passed]
    # Narrow enough for a log's 80 columns.
    table = Table(*head, box=box.SIMPLE, padding=0, pad_edge=False, caption_justify='left',
                  caption='\n'.join(refused) or None)  # fmt: skip
    for entry in entries:
        row = entry.to_dict()
        table.add_row(
            entry.name,
            f'{row["p50_ms"]:.2f}',
            f'{row["p95_ms"]:.2f}',
            f'{row["p99_ms"]:.2f}',
            f'{row["cpu_p50_ms"]:.2f}',
            f'{row["size_mb"]:.2f}',
            f'{row["cosine"]:.5f}',
            f'{row["max_error_rad"]:.1e}',
            f'{row["speedup"]:.2f}',
            f'{row["cpu_speedup"]:.2f}',
            'no' if entry.reason else 'acts' if entry.judged else 'yes',
        )
    return table


def plot(path: Path, entries: list[Entry], best: str | None) -> None:
    """Median and p99 of each."""
    bars = []
    for entry in entries:
        figures = entry.times.figures()
        kind = 'best' if entry.name == best else 'plain' if entry.passed else 'bad'
        remark = f'{entry.speedup:.2f} x'
        bars.append(Bar(entry.name, figures['p50_ms'], figures['p99_ms'], remark, kind))
    draw_bars(path, 'one chunk: p50, and p99 as the line', 'ms', bars)


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy benchmark', 'Time policy bundles against each other.', EPILOG)
    p.add_argument('bundles', type=Path, nargs='+', metavar='DIR', help='policy bundles')
    p.add_argument('--rounds', type=positive, default=200, help='calls of each (default 200)')
    p.add_argument(
        '--threads', type=positive, nargs='+', default=[1], help='of the runtimes (default 1)'
    )
    p.add_argument('--batch', type=positive, nargs='+', default=[], help='sizes to sweep too')
    p.add_argument('--device', default='cpu', help='cpu or cuda:N (default cpu)')
    p.add_argument('--no-eager', action='store_true', help='without the original')
    p.add_argument(
        '--compile',
        choices=('default', 'reduce-overhead', 'max-autotune'),
        help='also the original under torch.compile (needs a C++ compiler; slow to begin)',
    )
    p.add_argument(
        '--budget',
        type=float,
        metavar='MB',
        help='also the original with no more of its weights in memory, the rest on disk',
    )
    p.add_argument('--memory', action='store_true', help='peak memory too (a process for each)')
    p.add_argument('--observations', type=Path, metavar='FILE', help='recording (.npz)')
    p.add_argument('--count', type=positive, default=24, help='observations (default 24)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--plot', type=Path, metavar='PNG', help='draw a picture')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    a = p.parse_args(arguments)
    proof = VerificationOptions(load_robot(a.robot), a.observations, a.count)
    named = unique_names(a.bundles)
    reference = reference_of(a.bundles[0], proof)
    result: dict = {'machine': processor(), 'load': load(), 'device': a.device}
    by_threads = {}
    for threads in a.threads:
        with progress('rounds') as bar:
            line = bar.add_task(f'{threads} thread(s)', total=a.rounds + 5)
            by_threads[threads] = benchmark(
                named,
                proof,
                rounds=a.rounds,
                threads=threads,
                device=a.device,
                eager=not a.no_eager,
                compile_mode=a.compile,
                budget_mb=a.budget,
                limits=LOSSY,
                reference=reference,
                advance=lambda line=line, bar=bar: bar.advance(line),
            )
    entries = by_threads[a.threads[0]]
    if a.memory:
        entries = [
            replace(e, memory=memory(named[e.name], a.threads[0], a.device))
            if e.name in named
            else e
            for e in entries
        ]
    best = best_of(entries, list(named))
    result.update(bundles=[entry.to_dict() for entry in entries], best=best)
    if len(a.threads) > 1:
        result['by_threads'] = {
            str(n): [entry.to_dict() for entry in found] for n, found in by_threads.items()
        }
    if a.batch:
        swept = sweep_batches(named, reference, a.batch, max(10, a.rounds // 10), a.threads[0])
        result['by_batch'] = {n: {str(k): v for k, v in r.items()} for n, r in swept.items()}
    if a.plot:
        plot(a.plot, entries, best)
    for threads, found in by_threads.items():
        console.print(f'{threads} thread(s), {result["machine"]}, load {load()}', soft_wrap=True)
        console.print(table_of(found))
    for name, rows in result.get('by_batch', {}).items():
        for size, row in rows.items():
            said = row if isinstance(row, str) else f'{row["throughput_hz"]:.0f} observations/s'
            console.print(f'{name}, batch {size}: {said}', soft_wrap=True)
    console.print(f'best: {best or "none is the same policy"}')
    if a.json:
        print(as_json(result))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
