# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models train`: behaviour cloning of collected data, or of your own."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import console, guarded, not_negative, parser, positive, progress
from vla_models.network.encoders import VISION
from vla_models.network.heads import HEADS
from vla_models.training import Trainer, TrainingOptions
from vla_models.training.options import PARTS, PRECISIONS

EPILOG = """\
Output: checkpoint.safetensors (a second run resumes from it), best.safetensors, loss.png,
training.json and tokenizer.json. With --minutes the learning rate schedule follows the clock. Data:
the output of collect, or any dataset in LeRobot's layout v3.0 with one camera and named joints; all
of it is checked before the first step.

several GPUs (accelerate launch does the same):
  torchrun --nproc_per_node 4 -m vla_models.commands.train --data data --out run
fine-tuning the shipped bundle on your own data, without training the image encoder:
  ros2 run vla_models train --data mine --out run --init models/humanoid_vla --freeze vision
example:
  ros2 run vla_models train --data data --out run --minutes 40"""


def train(data: Path, out: Path, options: TrainingOptions) -> Trainer:
    """Train in `out`, or resume there. Returns the trainer."""
    bar = progress('frames')
    first = os.environ.get('RANK', '0') == '0'  # one of several processes prints
    bar.disable = not first
    with bar:
        reading = bar.add_task('checking the data', total=None)

        def shown(what: str) -> Callable[[int, int], None]:
            return lambda done, total: bar.update(
                reading, completed=done, total=total, description=what
            )

        trainer = Trainer(data, out, options, shown('checking the data'), shown('labelling places'))
        bar.remove_task(reading)
        if trainer.resumed and first:
            bar.console.print(f'resuming after step {trainer.step} of {trainer.steps}')
        line = bar.add_task('training', total=trainer.steps * options.batch)
        bar.advance(line, trainer.step * options.batch)

        def advance(count: int, loss: float) -> None:
            bar.update(line, advance=count, description=f'step {trainer.step} loss {loss:.4f}')

        def validated(figures: dict[str, float]) -> None:
            if not first:
                return
            bar.console.print(
                f'step {trainer.step} ({trainer.seconds:.0f} s): training loss'
                f' {trainer.curves["train"][-1]:.4f}; on unseen episodes: chunk'
                f' {figures["error"]:.4f} rad, target {figures["target"] * 100:.1f} cm'
            )

        trainer.run(advance, validated)
    return trainer


def _run(arguments: list[str] | None) -> int:
    default = TrainingOptions()
    p = parser(
        'vla_models train',
        'Train HumanoidVLA by behaviour cloning: deterministic by seed, validated on held-out\n'
        'episodes, stopped early.',
        EPILOG,
    )
    p.add_argument('--data', type=Path, required=True, metavar='DIR', help='the dataset')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='training directory')
    p.add_argument(
        '--epochs',
        type=positive,
        default=default.epochs,
        help=f'longest training (default {default.epochs})',
    )
    p.add_argument(
        '--minutes',
        type=float,
        default=default.minutes,
        help='longest training; 0: no limit (default 0)',
    )
    p.add_argument(
        '--batch', type=positive, default=default.batch, help='frames of a step (default 32)'
    )
    p.add_argument('--imagined', type=int, default=default.imagined, metavar='N', help='samples '
                   f'without image in a batch (default {default.imagined})')  # fmt: skip
    p.add_argument('--learning-rate', type=float, default=default.learning_rate, help='largest '
                   f'learning rate (default {default.learning_rate:g})')  # fmt: skip
    p.add_argument('--patience', type=positive, default=default.patience, help='validations '
                   f'without improvement that end it (default {default.patience})')  # fmt: skip
    p.add_argument('--validate-every', type=positive, default=default.validate_every, help='steps '
                   f'between validations (default {default.validate_every})')  # fmt: skip
    p.add_argument('--places', type=not_negative, default=default.places, metavar='N',
                   help='places that inverse kinematics labels as possible or not; 0: none '
                   f'(default {default.places}; only for data with cubes)')  # fmt: skip
    p.add_argument('--seed', type=int, default=default.seed, help='same seed, same weights '
                   f'(default {default.seed})')  # fmt: skip
    p.add_argument('--threads', type=positive, default=default.threads, help='threads on the CPU')
    p.add_argument(
        '--precision', choices=PRECISIONS, default=default.precision, help='precision on a GPU'
    )
    p.add_argument('--recompute', action='store_true', help='activation checkpointing of '
                   'transformer layers: less memory, more time')  # fmt: skip
    p.add_argument('--state', default=default.state, metavar='GROUP', help='joints that the policy '
                   f'reads: a group of the robot, or all (default {default.state})')  # fmt: skip
    p.add_argument('--vision', choices=sorted(VISION), help='encoder (default convolutional)')
    p.add_argument('--head', choices=sorted(HEADS), help='action head (default mlp)')
    p.add_argument(
        '--network', type=json.loads, default={}, metavar='JSON', help='other sizes of the network'
    )
    p.add_argument(
        '--init', default='', metavar='PATH', help='run, bundle or file of weights to start from'
    )
    p.add_argument(
        '--freeze', nargs='+', choices=PARTS, default=(), help='parts to leave untrained'
    )
    a = p.parse_args(arguments)
    trainer = train(a.data, a.out, _options(a))
    if trainer.accelerator.is_main_process:
        console.print(f'best error on unseen episodes {trainer.best:.4f} rad; {a.out}/loss.png')
    return 0


def _options(a: argparse.Namespace) -> TrainingOptions:
    network = dict(a.network) | {k: v for k in ('vision', 'head') if (v := getattr(a, k))}
    own = {'data', 'out', 'vision', 'head', 'network'}
    given = {name: value for name, value in vars(a).items() if name not in own}
    try:
        return TrainingOptions(**given, network=network)
    except (TypeError, ValueError) as error:
        raise ConfigError('train', 'options', str(error), 'see --help') from error


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
