# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy tune`: the whole way from a bundle to the best one for this computer."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.table import Column, Table

from vla_common.terminal import console, parser, positive
from vla_deploy.atomic_io import as_json
from vla_deploy.commands.verification_options import (
    FAILED,
    add_proof,
    doing,
    limits_of,
    proof_of,
    verified,
)
from vla_deploy.fine_tuning import Tuning
from vla_deploy.parity import LOSSY
from vla_deploy.report import to_dict, write_report
from vla_deploy.staging import check_place
from vla_deploy.tuning import tune

EPILOG = """\
Exports, optimises and quantises in every way that the target has, leaves in float what suffers,
verifies each against the original, races those that are the same policy, and (with --scenes) lets
the best act in the simulator beside the given: where it is worse, the next best. Leaves in --out:
  best/           the fastest bundle that is the same policy; for the inference node's `policy`
  report.md       the table with pictures; tune.json the same for machines
  candidates/     all that were raced

--data lets a pruned candidate take part: 30 % of its channels, neurons and heads cut out, trained
on for --minutes with the original as its teacher (HumanoidVLA only), and, since its answers
differ, judged by --scenes. --also takes bundles made elsewhere (`prune`, `quantise`) into the race.

example:
  ros2 run vla_deploy tune --bundle models/humanoid_vla --target cpu --scenes 20
exit code: 0 done, 2 something given is wrong, 3 no candidate is the same policy"""


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy tune', 'Find the fastest bundle that is still the same policy.', EPILOG)
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='where to begin')
    p.add_argument('--target', default='cpu', help='cpu or cuda:N (default cpu)')
    p.add_argument('--out', type=Path, metavar='DIR', help='default: out/tune/<bundle>')
    p.add_argument('--threads', type=positive, default=1, help='of the runtimes (default 1)')
    p.add_argument('--rounds', type=positive, default=200, help='calls of each (default 200)')
    p.add_argument('--quick', action='store_true', help='only what usually wins')
    p.add_argument('--only', nargs='+', default=[], metavar='NAME', help='candidates by name')
    p.add_argument('--data', type=Path, metavar='DIR', help='dataset: try a pruned network too')
    p.add_argument('--minutes', type=float, default=10.0, help='of training with --data (10)')
    p.add_argument('--also', type=Path, nargs='+', default=[], metavar='DIR', help='more bundles')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, LOSSY)
    a = p.parse_args(arguments)
    out = a.out or Path('out') / 'tune' / a.bundle.resolve().name
    check_place(out / 'best')
    tuning = Tuning(a.data, a.minutes, seed=a.seed) if a.data is not None else None

    def told(text: str) -> None:
        doing.get()(text)
        console.print(text, soft_wrap=True, markup=False)

    outcome = tune(
        a.bundle,
        out,
        proof_of(a),
        target=a.target,
        quick=a.quick,
        rounds=a.rounds,
        threads=a.threads,
        limits=limits_of(a),
        scenes=a.scenes,
        jobs=a.jobs,
        tuning=tuning,
        also=a.also,
        only=a.only,
        told=told,
    )
    report = write_report(out, a.bundle, a.target, a.threads, outcome)
    names = Column('candidate', overflow='fold')
    table = Table(names, 'p50 ms', 'p99 ms', 'MB', 'cosine', 'success', 'speed-up')
    for entry in outcome.entries:
        row = entry.to_dict()
        name = f'[bold]{entry.name}[/]' if entry.name == outcome.best else entry.name
        table.add_row(
            name,
            *(f'{row[k]:.2f}' for k in ('p50_ms', 'p99_ms', 'size_mb')),
            f'{row["cosine"]:.5f}',
            '–' if entry.success is None else f'{entry.success:.0%}',
            f'{row["speedup"]:.2f}',
        )
    console.print(table)
    for name, reason in outcome.refused.items():
        console.print(f'refused {name}: {reason}', soft_wrap=True, markup=False)
    console.print(f'report: {report}')
    if a.json:
        print(as_json(to_dict(outcome)))
    return 0 if outcome.best else FAILED


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
