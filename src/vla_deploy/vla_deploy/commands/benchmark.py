# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy benchmark`: latency of bundles, timed in turns."""

from dataclasses import replace
from pathlib import Path

from rich import box
from rich.table import Table

from vla_common.terminal import console, parser, positive, progress
from vla_deploy.commands import verb
from vla_deploy.publishing import VerificationOptions
from vla_deploy.report import draw_latency, figures_of
from vla_deploy.timing.benchmark import Entry, benchmark, best_of, sweep_batches, unique_names
from vla_deploy.timing.platform import load, memory, processor
from vla_robot import load_robot

EPILOG = """\
Each round runs every bundle once, in a new order, on the same observation, so that other load on
the machine affects all alike. The reference model in eager PyTorch is timed too where the first
bundle has a source; speed-ups are relative to it (else to the first bundle). CPU time is printed
beside wall time. cosine and max_error_rad compare with the reference model, or else with the first
bundle. best: the fastest that is the same policy: cosine >= 0.999 and no joint off by more than
0.1 rad, or accepted by a closed loop beside the model of the first bundle (`prune --scenes`,
`verify --scenes`; in the table: scenes). Reasons for a rejection are printed below the table.

examples:
  ros2 run vla_deploy benchmark models/humanoid_vla /tmp/int8 /tmp/pruned --json
  ros2 run vla_deploy benchmark models/humanoid_vla --threads 1 2 4 --batch 1 16 --plot a.png"""


def table_of(entries: list[Entry]) -> Table:
    """Table of the entries, narrow enough for 80 columns."""
    head = ('bundle', 'p50 ms', 'p99', 'CPU p50', 'MB', 'cosine', 'rad', 'speed-up', 'p95', 'CPU',
            'same')  # fmt: skip
    rejected = [f'{entry.name}: {entry.reason}' for entry in entries if not entry.passed]
    table = Table(*head, box=box.SIMPLE, padding=0, pad_edge=False, caption_justify='left',
                  caption='\n'.join(rejected) or None)  # fmt: skip
    for entry in entries:
        p95 = f'{entry.times.figures()["p95_ms"]:.2f}'
        same = 'no' if entry.reason else 'scenes' if entry.judged else 'yes'
        table.add_row(entry.name, *figures_of(entry), p95, f'{entry.cpu_speedup:.2f}', same)
    return table


@verb.plain
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy benchmark', 'Time policy bundles against each other.', EPILOG)
    p.add_argument('bundles', type=Path, nargs='+', metavar='DIR', help='policy bundles')
    p.add_argument(
        '--threads',
        type=positive,
        nargs='+',
        default=[1],
        help='numbers of threads of a runtime to time (default 1)',
    )
    p.add_argument(
        '--batch', type=positive, nargs='+', default=[], help='batch sizes to time besides 1'
    )
    p.add_argument('--no-eager', action='store_true', help='leave out the reference model')
    modes = ('default', 'reduce-overhead', 'max-autotune')
    p.add_argument(
        '--compile',
        choices=modes,
        help='time the reference model under torch.compile too (needs a C++ compiler)',
    )
    p.add_argument(
        '--budget',
        type=float,
        metavar='MB',
        help='time the reference model with at most MB of weights in memory too',
    )
    p.add_argument(
        '--memory',
        action='store_true',
        help='measure peak memory too, each bundle in a process of its own',
    )
    p.add_argument('--plot', type=Path, metavar='PNG', help='write a chart')
    verb.add_options(p, 'device', 'observations', 'count', 'robot', 'json', rounds=200)
    a = p.parse_args(arguments)
    named = unique_names(a.bundles)
    options = VerificationOptions(load_robot(a.robot), a.observations, a.count)
    options = options.with_expected(a.bundles[0])
    result: dict = {'machine': processor(), 'load': load(), 'device': a.device}
    by_threads = {}
    for threads in a.threads:
        with progress('rounds') as bar:
            line = bar.add_task(f'{threads} thread(s)', total=a.rounds + 5)
            by_threads[threads] = benchmark(
                named,
                options,
                rounds=a.rounds,
                threads=threads,
                device=a.device,
                eager=not a.no_eager,
                compile_mode=a.compile,
                budget_mb=a.budget,
                advance=lambda line=line, bar=bar: bar.advance(line),
            )
    first, entries = a.threads[0], by_threads[a.threads[0]]
    if a.memory:
        entries = [
            replace(e, memory=memory(named[e.name], first, a.device)) if e.name in named else e
            for e in entries
        ]
    best = best_of(entries, list(named))
    result.update(bundles=[entry.to_dict() for entry in entries], best=best)
    if len(a.threads) > 1:
        result['by_threads'] = {
            str(n): [entry.to_dict() for entry in found] for n, found in by_threads.items()
        }
    if a.batch:
        assert options.expected is not None
        swept = sweep_batches(named, options.expected, a.batch, max(10, a.rounds // 10), first)
        result['by_batch'] = {n: {str(k): v for k, v in r.items()} for n, r in swept.items()}
    if a.plot:
        draw_latency(a.plot, entries, best)
    for threads, found in by_threads.items():
        verb.show(f'{threads} thread(s), {result["machine"]}, load {load()}')
        console.print(table_of(found))
    for name, rows in result.get('by_batch', {}).items():
        for size, row in rows.items():
            text = row if isinstance(row, str) else f'{row["throughput_hz"]:.0f} observations/s'
            verb.show(f'{name}, batch {size}: {text}')
    verb.show(f'best: {best or "none is the same policy"}')
    verb.print_json(a, result)
    return 0
