# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy quantise`: fewer bits, and proof that it is the same policy still."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
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
from vla_deploy.fine_tuning import Tuning
from vla_deploy.observations import Recording
from vla_deploy.optimising import optimise_torchscript
from vla_deploy.parity import LOSSY
from vla_deploy.quantisation.quantising import Quantised, quantise
from vla_deploy.quantisation.schemes import METHODS, WAYS, QuantisationSettings

EPILOG = """\
ways:
  int8-dynamic   int8 weights of MatMul and Gemm; their inputs' ranges are found at run time
  int8-static    int8 Conv, MatMul and Gemm; ranges from --calibration (else from scenes that the
                 verification does not ask about), by --method
  fp16           half the size; on CPUs without half arithmetic slower, for GPUs
  bf16           bfloat16 in TorchScript, from the bundle's source; for CPUs and GPUs that have it
  int8-weights   8 bit weights of MatMul in blocks of 32, float arithmetic: smaller
  int4-weights   4 bit, the same

Layers that suffer stay in float: --keep NAME (part of a node's name) by hand, --search to find the
fewest that have to (each layer is quantised alone, to see what that does).

--fine-tune DATA trains first while weights and inputs are rounded to int8 (quantisation-aware, by
the trainer of `train`, the original as the teacher; HumanoidVLA only).

example:
  ros2 run vla_deploy quantise --bundle models/humanoid_vla --way int8-static --search \\
      --out /tmp/int8
exit code: 0 written and verified, 2 something given is wrong, 3 it is not the same policy"""


def _layers(made: Quantised) -> None:
    table = Table('layer', 'operator', 'largest error, rad', 'cosine', 'stays')
    for layer in made.layers[:15]:
        stays = 'float' if layer.name in made.kept else ''
        error, cosine = f'{layer.max_error_rad:.2e}', f'{layer.cosine:.6f}'
        table.add_row(layer.name, layer.operator, error, cosine, stays)
    console.print(table)


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy quantise', 'Write a bundle with fewer bits.', EPILOG)
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='what to quantise')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='bundle directory')
    p.add_argument('--way', choices=(*WAYS, 'bf16'), required=True)
    p.add_argument(
        '--calibration',
        type=Path,
        metavar='FILE',
        help='recording (.npz), for static (default: scenes of the simulator)',
    )
    p.add_argument('--method', choices=METHODS, default='minmax', help='of static (minmax)')
    p.add_argument('--per-tensor', action='store_true', help='one scale for a whole weight')
    p.add_argument(
        '--operators',
        nargs='+',
        default=list(QuantisationSettings.operators),
        help='of static, to quantise',
    )
    p.add_argument('--keep', nargs='+', default=[], metavar='NAME', help='nodes left in float')
    p.add_argument('--search', action='store_true', help='find the nodes to leave in float')
    p.add_argument('--fine-tune', type=Path, metavar='DIR', help='dataset to train on, rounding')
    p.add_argument('--minutes', type=float, default=0.0, help='of --fine-tune')
    p.add_argument('--epochs', type=positive, default=3, help='where --minutes is 0 (default 3)')
    p.add_argument('--learning-rate', type=float, default=1e-4, help='of --fine-tune')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, LOSSY)
    a = p.parse_args(arguments)
    proof, limits = proof_of(a, a.out), limits_of(a)
    if a.way == 'bf16':
        finding = optimise_torchscript(a.bundle, a.out, proof, dtype=torch.bfloat16, limits=limits)
        made = Quantised(finding, (), 0)
    else:
        settings = QuantisationSettings(
            method=a.method, per_channel=not a.per_tensor, operators=tuple(a.operators)
        )
        tuning = None
        if a.fine_tune is not None:
            tuning = Tuning(a.fine_tune, a.minutes, a.epochs, a.learning_rate, seed=a.seed)
        calibration = Recording.load(a.calibration) if a.calibration else None
        with progress('layers', passing=True) as bar:
            line = bar.add_task('sensitivity', total=None, visible=a.search)
            training = bar.add_task('training', total=None, visible=tuning is not None)

            def trained(frames: int, loss: float) -> None:
                bar.update(training, advance=frames, description=f'frames, loss {loss:.4f}')

            made = quantise(
                a.bundle,
                a.out,
                a.way,
                proof,
                settings=settings,
                calibration=calibration,
                keep=a.keep,
                search=a.search,
                tuning=tuning,
                limits=limits,
                advance=lambda: bar.advance(line),
                trained=trained,
            )
    if made.layers:
        _layers(made)
    tell(a.out, made.finding)
    if made.quantised:
        kept = f', {len(made.kept)} left in float' if made.kept else ''
        console.print(f'{made.quantised} operators of the graph quantised{kept}')
    if a.json:
        found = summary(a.out, made.finding)
        found.update(way=a.way, quantised=made.quantised, kept=list(made.kept))
        print(as_json(found))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
