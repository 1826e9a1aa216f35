# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy tune`: from a bundle to the fastest one for this computer."""

from pathlib import Path

from rich.table import Column, Table

from vla_common.terminal import console, parser
from vla_deploy.atomic_io import check_place
from vla_deploy.commands import verb
from vla_deploy.fine_tuning import FineTuning
from vla_deploy.parity import LOSSY
from vla_deploy.report import figures_of, success_of, to_dict, write_report
from vla_deploy.tuning import tune

EPILOG = """\
Exports, optimises and quantises by every scheme of the target, leaves sensitive layers in float,
verifies each against the reference model, times those that are the same policy in turns, and (with
--scenes) runs the best in the simulator beside the given bundle: where it is worse, the next best.
Writes to --out:
  best/           the fastest bundle that is the same policy; for the inference node's `policy`
  report.md       the table with charts; tune.json the same for machines
  candidates/     all that were timed

--data adds a pruned candidate: 30 % of the channels, neurons and heads removed, then fine-tuned for
--minutes with the reference model as the teacher (HumanoidVLA only). Its answers differ, so
--scenes has to decide. --also times bundles made elsewhere (`prune`, `quantise`) too.

example:
  ros2 run vla_deploy tune --bundle models/humanoid_vla --target cpu --scenes 20
exit code: 0 done, 2 wrong input, 3 no candidate is the same policy"""


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy tune', 'Find the fastest bundle that is still the same policy.', EPILOG)
    p.add_argument(
        '--target', default='cpu', help='device to tune for: cpu or cuda:N (default cpu)'
    )
    p.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='directory of the report (default: out/tune/<bundle>)',
    )
    p.add_argument('--quick', action='store_true', help='try only what usually wins')
    p.add_argument(
        '--only',
        nargs='+',
        default=[],
        metavar='NAME',
        help='candidates to try, by name (default: all)',
    )
    p.add_argument(
        '--data',
        type=Path,
        metavar='DIR',
        help='dataset to fine-tune a pruned network on, which is tried too',
    )
    p.add_argument(
        '--also',
        type=Path,
        nargs='+',
        default=[],
        metavar='DIR',
        help='more bundles to compare with',
    )
    verb.add_options(p, 'bundle', 'threads', rounds=200, minutes=10.0)
    verb.add_verification_options(p, LOSSY)
    a = p.parse_args(arguments)
    out = a.out or Path('out') / 'tune' / a.bundle.resolve().name
    check_place(out / 'best')

    def log(text: str) -> None:
        verb.step_log.get()(text)
        verb.show(text)

    outcome = tune(
        a.bundle,
        out,
        verb.options_of(a),
        target=a.target,
        quick=a.quick,
        rounds=a.rounds,
        threads=a.threads,
        tuning=FineTuning(a.data, a.minutes, seed=a.seed) if a.data is not None else None,
        also=a.also,
        only=a.only,
        log=log,
    )
    report = write_report(out, a.bundle, a.target, a.threads, outcome)
    names = Column('candidate', overflow='fold')
    head = ('p50 ms', 'p99 ms', 'CPU ms', 'MB', 'cosine', 'rad', 'success', 'times')
    table = Table(names, *head)
    for entry in outcome.entries:
        name = f'[bold]{entry.name}[/]' if entry.name == outcome.best else entry.name
        *figures, speedup = figures_of(entry)
        table.add_row(name, *figures, success_of(entry), speedup)
    console.print(table)
    for name, reason in outcome.refused.items():
        verb.show(f'rejected {name}: {reason}')
    verb.show(f'report: {report}')
    verb.print_json(a, to_dict(outcome))
    return 0 if outcome.best else verb.FAILED
