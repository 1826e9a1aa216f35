# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy quantise`: fewer bits, verified to be the same policy."""

from pathlib import Path

import torch
from rich.table import Table

from vla_common.terminal import console, parser, progress
from vla_deploy.commands import verb
from vla_deploy.fine_tuning import FineTuning
from vla_deploy.observations import Recording
from vla_deploy.optimising import optimise_torchscript
from vla_deploy.parity import LOSSY
from vla_deploy.quantisation.quantising import QuantisationResult, quantise
from vla_deploy.quantisation.schemes import METHODS, SCHEMES, QuantisationSettings

EPILOG = """\
schemes:
  int8-dynamic   int8 weights of MatMul and Gemm; ranges of their inputs are found at run time
  int8-static    int8 Conv, MatMul and Gemm; ranges from --calibration (else from scenes that the
                 verification does not use), by --method
  fp16           half the size; slower on CPUs without half arithmetic, for GPUs
  bf16           bfloat16 in TorchScript, from the bundle's source; for CPUs and GPUs that have it
  int8-weights   8 bit weights of MatMul in blocks of 32, float arithmetic: smaller
  int4-weights   4 bit, the same

Sensitive layers stay in float: --keep NAME (part of a node's name) by hand, --search to find the
fewest that have to (each layer is quantised alone to rank the layers).

--fine-tune DATA trains first while weights and inputs are rounded to int8 (quantisation-aware, by
the trainer of `train`, with the reference model as the teacher; HumanoidVLA only).

example:
  ros2 run vla_deploy quantise --bundle models/humanoid_vla --scheme int8-static --search \\
      --out /tmp/int8
exit code: 0 written and verified, 2 wrong input, 3 a different policy"""


def _layers(made: QuantisationResult) -> Table:
    table = Table('layer', 'operator', 'largest error, rad', 'cosine', 'stays')
    for layer in made.layers[:15]:
        stays = 'float' if layer.name in made.kept else ''
        error, cosine = f'{layer.max_error_rad:.2e}', f'{layer.cosine:.6f}'
        table.add_row(layer.name, layer.operator, error, cosine, stays)
    return table


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy quantise', 'Write a bundle with fewer bits.', EPILOG)
    verb.add_options(p, 'bundle', 'out', 'calibration')
    p.add_argument('--scheme', choices=(*SCHEMES, 'bf16'), required=True)
    p.add_argument(
        '--method',
        choices=METHODS,
        default='minmax',
        help='calibration of static quantisation (default minmax)',
    )
    p.add_argument('--per-tensor', action='store_true', help='one scale for a whole weight')
    operators = list(QuantisationSettings.operators)
    p.add_argument(
        '--operators', nargs='+', default=operators, help='operators to quantise, with static'
    )
    p.add_argument('--keep', nargs='+', default=[], metavar='NAME', help='nodes left in float')
    p.add_argument('--search', action='store_true', help='find the nodes to leave in float')
    p.add_argument('--fine-tune', type=Path, metavar='DIR', help='dataset to fine-tune on')
    verb.add_options(p, 'minutes', 'epochs', learning_rate=1e-4)
    verb.add_verification_options(p, LOSSY)
    a = p.parse_args(arguments)
    options = verb.options_of(a, a.out)
    if a.scheme == 'bf16':
        result = optimise_torchscript(a.bundle, a.out, options, dtype=torch.bfloat16)
        made = QuantisationResult(result, (), 0)
    else:
        tuning = None
        if a.fine_tune is not None:
            tuning = FineTuning(a.fine_tune, a.minutes, a.epochs, a.learning_rate, seed=a.seed)
        recording = Recording.load(a.calibration) if a.calibration else None
        with progress('layers', passing=True) as bar:
            line = bar.add_task('sensitivity', total=None, visible=a.search)
            training = bar.add_task('training', total=None, visible=tuning is not None)

            def trained(frames: int, loss: float) -> None:
                bar.update(training, advance=frames, description=f'frames, loss {loss:.4f}')

            made = quantise(
                a.bundle,
                a.out,
                a.scheme,
                options,
                settings=QuantisationSettings(
                    method=a.method, per_channel=not a.per_tensor, operators=tuple(a.operators)
                ),
                calibration=recording,
                keep=a.keep,
                search=a.search,
                tuning=tuning,
                advance=lambda: bar.advance(line),
                trained=trained,
            )
    if made.layers:
        console.print(_layers(made))
    verb.print_result(a, made.result)
    if made.quantised:
        kept = f', {len(made.kept)} left in float' if made.kept else ''
        verb.show(f'{made.quantised} operators of the graph quantised{kept}')
    about = {'way': a.scheme, 'quantised': made.quantised, 'kept': list(made.kept)}
    verb.print_json(a, {**verb.summary(a.out, made.result), **about})
    return 0
