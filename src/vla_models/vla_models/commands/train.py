# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models train`: behaviour cloning of what collect wrote."""

from __future__ import annotations

import sys
from pathlib import Path

from vla_models.commands.terminal import console, guarded, parser, positive, progress
from vla_models.training import Trainer, TrainingOptions


def train(data: Path, out: Path, options: TrainingOptions) -> Trainer:
    """Train, or go on training, in `out`; the trainer as it ended."""
    trainer = Trainer(data, out, options)
    frames = len(trainer.train_frames) // options.batch * options.batch
    frames = frames or len(trainer.train_frames)
    if trainer.resumed:
        console.print(f'going on after epoch {trainer.epoch} of {options.epochs}')
    with progress('frames') as bar:
        line = bar.add_task('training', total=frames * options.epochs)
        bar.advance(line, frames * trainer.epoch)

        def advance(count: int, loss: float) -> None:
            bar.update(line, advance=count, description=f'epoch {trainer.epoch} loss {loss:.4f}')

        def epoch_done(epoch: int, train_loss: float, validation: float) -> None:
            bar.console.print(
                f'epoch {epoch}: error of a chunk {train_loss:.4f} rad,'
                f' on unseen scenes {validation:.4f} rad ({trainer.seconds:.0f} s)'
            )

        trainer.run(advance, epoch_done)
    return trainer


def _run(arguments: list[str] | None) -> int:
    default = TrainingOptions()
    p = parser(
        'train',
        'Train HumanoidVLA on a dataset by behaviour cloning: deterministic by seed, validated on\n'
        'scenes that it does not train on, stopped when those no longer get better.',
        'DIR gets checkpoint.pt (training goes on from it when run again), best.pt, loss.png,\n'
        'training.json and tokenizer.json. With --minutes the learning rate falls to the end of\n'
        'that time, whatever the machine.\n\nexample:\n'
        '  ros2 run vla_models train --data data --out run --minutes 25',
    )
    p.add_argument('--data', type=Path, required=True, metavar='DIR', help='what collect wrote')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='training directory')
    p.add_argument('--epochs', type=positive, default=default.epochs, help='at most (default 20)')
    p.add_argument('--minutes', type=float, default=default.minutes, help='at most; 0: no limit')
    p.add_argument('--batch', type=positive, default=default.batch, help='frames (default 32)')
    p.add_argument('--learning-rate', type=float, default=default.learning_rate)
    p.add_argument('--patience', type=positive, default=default.patience, help='epochs')
    p.add_argument('--seed', type=int, default=default.seed)
    p.add_argument('--threads', type=positive, default=default.threads, help='of PyTorch')
    p.add_argument('--init', default='', metavar='FILE', help='checkpoint to begin from')
    p.add_argument('--freeze-vision', action='store_true', help='do not train the image encoder')
    a = p.parse_args(arguments)
    options = TrainingOptions(
        epochs=a.epochs,
        minutes=a.minutes,
        batch=a.batch,
        learning_rate=a.learning_rate,
        patience=a.patience,
        seed=a.seed,
        threads=a.threads,
        init=a.init,
        freeze_vision=a.freeze_vision,
    )
    trainer = train(a.data, a.out, options)
    console.print(f'best error on unseen scenes {trainer.best:.4f} rad; {a.out}/loss.png')
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
