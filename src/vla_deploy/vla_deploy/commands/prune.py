# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy prune`: fewer weights, and their measured effect on latency."""

from dataclasses import replace
from pathlib import Path

from rich.table import Table

from vla_common.terminal import console, parser, positive, progress
from vla_deploy.commands import verb
from vla_deploy.exporting import FORMS
from vla_deploy.fine_tuning import FineTuning
from vla_deploy.parity import LOSSY
from vla_deploy.pruning.importance import IMPORTANCES
from vla_deploy.pruning.pruning import KINDS, PruningPlan, PruningResult, prune
from vla_deploy.timing.benchmark import Entry, benchmark

EPILOG = """\
kinds:
  structured     whole channels, neurons and attention heads, the least important of each layer, are
                 removed: the network has other sizes (its configuration stores them), a smaller
                 file and less to compute. The remaining units are a multiple of 8.
  unstructured   single weights, the least important of the whole network, become zero. Neither file
                 nor time shrink on a runtime that multiplies zeros, like ONNX Runtime.
importance:
  magnitude      |w|^n (--norm n)           gradient   |w · gradient|
  random         as a baseline              fisher     w² · squared gradient
The last two use the observations of the verification, without labels.

--data DIR fine-tunes after each of --steps, with the reference model as the teacher, by the trainer
of `train` (HumanoidVLA only). --stop-above ends with the last step within that mean error.
--no-remove only masks the units: same sizes, to measure the effect on the answers.
A policy whose answers differ by more than the limits can still be as good: --scenes N runs both in
the simulator and decides. It is then the same policy beside that bundle's model only, whose SHA-256
is stored. --form onnx-all is the fastest on a CPU. Use --keep-failed with a long training: a failed
bundle can then be verified again (`verify --scenes`).

examples:
  ros2 run vla_deploy prune --bundle models/humanoid_vla --amount 0.3 --importance fisher \\
      --data data --minutes 10 --scenes 60 --form onnx-all --out /tmp/pruned
  ros2 run vla_deploy prune --bundle models/humanoid_vla --kind unstructured --out /tmp/zeros
exit code: 0 written and verified, 2 wrong input, 3 a different policy"""


def _table(made: PruningResult, entries: list[Entry]) -> Table:
    table = Table('', 'sparsity', 'parameters', 'MB', 'p50 ms', 'CPU ms', 'speed-up', 'CPU')
    last = made.steps[-1]
    states = ((0.0, made.before), (last.sparsity, last.parameters))
    for entry, (share, count) in zip(entries, states, strict=True):
        times = entry.times.figures()
        numbers = (entry.size_mb, times['p50_ms'], times['cpu_p50_ms'], entry.speedup)
        cells = (f'{number:.2f}' for number in (*numbers, entry.cpu_speedup))
        table.add_row(entry.name, f'{share:.0%}', f'{count}', *cells)
    return table


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy prune', 'Write a bundle with fewer weights.', EPILOG)
    default = PruningPlan()
    verb.add_options(p, 'bundle', 'out')
    p.add_argument('--form', choices=FORMS, default='onnx', help='form of the model (default onnx)')
    p.add_argument('--kind', choices=KINDS, default=default.kind)
    p.add_argument('--importance', choices=IMPORTANCES, default=default.importance)
    p.add_argument(
        '--amount',
        type=float,
        default=default.amount,
        help='share of the units to remove (default 0.3)',
    )
    p.add_argument(
        '--norm',
        type=float,
        default=default.norm,
        help='n of the norm Ln that ranks units (default 2)',
    )
    p.add_argument('--steps', type=positive, default=1, help='steps of pruning (default 1)')
    p.add_argument(
        '--parts',
        nargs='+',
        default=[],
        metavar='NAME',
        help='layers to prune, by a part of their name (default: all)',
    )
    p.add_argument('--no-remove', action='store_true', help='mask units, do not remove them')
    p.add_argument('--stop-above', type=float, metavar='RAD', help='mean error to stop at')
    p.add_argument('--data', type=Path, metavar='DIR', help='dataset to fine-tune on')
    verb.add_options(p, 'minutes', 'epochs', 'learning-rate', 'rounds', threads=2)
    verb.add_verification_options(p, LOSSY)
    a = p.parse_args(arguments)
    plan = PruningPlan(
        a.kind, a.importance, a.amount, a.steps, a.norm, not a.no_remove, tuple(a.parts),
        a.stop_above, a.seed,
    )  # fmt: skip
    tuning = None
    if a.data is not None:
        how = {'threads': a.threads, 'seed': a.seed}
        tuning = FineTuning(a.data, a.minutes, a.epochs, a.learning_rate, **how)
    options = verb.options_of(a, a.out).with_expected(a.bundle)
    with progress('frames', passing=True) as bar:
        line = bar.add_task('training', total=None, visible=tuning is not None)

        def log(text: str) -> None:
            bar.console.print(text)

        def advance(frames: int, loss: float) -> None:
            bar.update(line, advance=frames, description=f'training, loss {loss:.4f}')

        how = {'form': a.form, 'tuning': tuning, 'log': log, 'advance': advance}
        made = prune(a.bundle, a.out, plan, options, **how)
    both = {'given': a.bundle, 'pruned': a.out}
    entries = benchmark(both, replace(options, limits=LOSSY), rounds=a.rounds, eager=False)
    verb.print_result(a, made.result)
    if made.stopped:
        verb.show(f'stopped early: {made.stopped}')
    console.print(_table(made, entries))
    last = made.steps[-1]
    about = {
        'sparsity': last.sparsity,
        'parameters': [made.before, last.parameters],
        'steps': [vars(step) for step in made.steps],
        'stopped': made.stopped,
        'bundles': [entry.to_dict() for entry in entries],
        'speedup': round(entries[1].speedup, 3),
    }
    verb.print_json(a, {**verb.summary(a.out, made.result), **about})
    return 0
