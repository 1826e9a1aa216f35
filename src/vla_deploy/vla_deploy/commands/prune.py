# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy prune`: fewer weights, and what that is really worth in milliseconds."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.table import Table

from vla_common.terminal import console, parser, positive, progress
from vla_deploy.atomic_io import as_json
from vla_deploy.commands.verification_options import (
    add_proof,
    limits_of,
    proof_of,
    summary,
    tell,
    verified,
)
from vla_deploy.exporting import FORMS
from vla_deploy.fine_tuning import Tuning
from vla_deploy.parity import LOSSY
from vla_deploy.pruning.importance import IMPORTANCES
from vla_deploy.pruning.pruning import KINDS, Pruned, PruningPlan, prune
from vla_deploy.publishing import reference_of
from vla_deploy.timing.benchmark import Entry, benchmark

EPILOG = """\
kinds:
  structured     whole channels, neurons and attention heads, the least of each layer, are cut out:
                 the network has other sizes then (its configuration carries them), a smaller file,
                 and less to compute. What is left of a layer is a multiple of 8.
  unstructured   single weights, the least of the whole network, become zero. Neither file nor time
                 shrink on a runtime that multiplies zeros too, which ONNX Runtime does.
importance:
  magnitude      |w|^n (--norm n)           gradient   |w · gradient|
  random         chance, to compare with    fisher     w² · squared gradient
The last two ask the observations of the verification; nobody has to say what would have been right.

--data DIR trains on after each of --steps, the original as the teacher, by the trainer of `train`
(HumanoidVLA only). --stop-above ends with the last step that is no further from the original.
--no-remove only silences what would be cut out: same sizes, to see what it costs.
Answers that differ by more than the limits can still be the same policy in what it gets done:
--scenes N lets both act in the simulator and decides by that; it is then the same policy beside
that bundle's model only, whose SHA-256 is written down. --form onnx-all is the fastest on a CPU.
After a long training add --keep-failed: what failed can then be judged again (`verify --scenes`).

examples:
  ros2 run vla_deploy prune --bundle models/humanoid_vla --amount 0.3 --importance fisher \\
      --data data --minutes 10 --scenes 60 --form onnx-all --out /tmp/pruned
  ros2 run vla_deploy prune --bundle models/humanoid_vla --kind unstructured --out /tmp/zeros
exit code: 0 written and verified, 2 something given is wrong, 3 it is not the same policy"""


def _table(made: Pruned, entries: list[Entry]) -> Table:
    table = Table('', 'sparsity', 'parameters', 'MB', 'p50 ms', 'CPU ms', 'speed-up', 'CPU')
    sparse = made.steps[-1].sparsity
    left = made.steps[-1].parameters
    for entry, share, count in zip(entries, (0.0, sparse), (made.before, left), strict=True):
        figures = entry.times.figures()
        table.add_row(
            entry.name,
            f'{share:.0%}',
            f'{count}',
            f'{entry.size_mb:.2f}',
            f'{figures["p50_ms"]:.2f}',
            f'{figures["cpu_p50_ms"]:.2f}',
            f'{entry.speedup:.2f}',
            f'{entry.cpu_speedup:.2f}',
        )
    return table


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy prune', 'Write a bundle with fewer weights.', EPILOG)
    default = PruningPlan()
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='with its source')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='bundle directory')
    p.add_argument('--form', choices=FORMS, default='onnx', help='of the model (default onnx)')
    p.add_argument('--kind', choices=KINDS, default=default.kind)
    p.add_argument('--importance', choices=IMPORTANCES, default=default.importance)
    p.add_argument('--amount', type=float, default=default.amount, help='share (default 0.3)')
    p.add_argument('--norm', type=float, default=default.norm, help='n of Ln (default 2)')
    p.add_argument('--steps', type=positive, default=1, help='to get there (default 1)')
    p.add_argument('--parts', nargs='+', default=[], metavar='NAME', help='parts of layer names')
    p.add_argument('--no-remove', action='store_true', help='silence units, do not cut them out')
    p.add_argument('--stop-above', type=float, metavar='RAD', help='mean error to stop at')
    p.add_argument('--data', type=Path, metavar='DIR', help='dataset to train on after each step')
    p.add_argument('--minutes', type=float, default=0.0, help='of training after each step')
    p.add_argument('--epochs', type=positive, default=3, help='where --minutes is 0 (default 3)')
    p.add_argument('--learning-rate', type=float, default=Tuning.learning_rate)
    p.add_argument('--threads', type=positive, default=2, help='of training (default 2)')
    p.add_argument('--rounds', type=positive, default=100, help='of timing (default 100)')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, LOSSY)
    a = p.parse_args(arguments)
    plan = PruningPlan(
        a.kind, a.importance, a.amount, a.steps, a.norm, not a.no_remove, tuple(a.parts),
        a.stop_above, a.seed,
    )  # fmt: skip
    tuning = None
    if a.data is not None:
        tuning = Tuning(
            a.data, a.minutes, a.epochs, a.learning_rate, threads=a.threads, seed=a.seed
        )
    proof = proof_of(a, a.out)
    reference = reference_of(a.bundle, proof)
    with progress('frames', passing=True) as bar:
        line = bar.add_task('training', total=None, visible=tuning is not None)

        def told(text: str) -> None:
            bar.console.print(text)

        def advance(frames: int, loss: float) -> None:
            bar.update(line, advance=frames, description=f'training, loss {loss:.4f}')

        made = prune(
            a.bundle, a.out, plan, proof, form=a.form, tuning=tuning, limits=limits_of(a),
            reference=reference, told=told, advance=advance,
        )  # fmt: skip
    contestants = {'given': a.bundle, 'pruned': a.out}
    entries = benchmark(contestants, proof, rounds=a.rounds, eager=False, reference=reference)
    tell(a.out, made.finding)
    if made.stopped:
        console.print(f'stopped early: {made.stopped}')
    console.print(_table(made, entries))
    if a.json:
        last = made.steps[-1]
        found = summary(a.out, made.finding)
        found.update(
            sparsity=last.sparsity,
            parameters=[made.before, last.parameters],
            steps=[vars(step) for step in made.steps],
            stopped=made.stopped,
            bundles=[entry.to_dict() for entry in entries],
            speedup=round(entries[1].speedup, 3),
        )
        print(as_json(found))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
