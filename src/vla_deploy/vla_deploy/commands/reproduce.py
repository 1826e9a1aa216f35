# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy reproduce`: collect, train, export and evaluate in one command."""

import json
from pathlib import Path

from vla_common.terminal import console, parser, positive
from vla_deploy.commands import verb
from vla_deploy.exporting import export_run
from vla_models.commands.collect import collect
from vla_models.commands.evaluate import evaluate
from vla_models.commands.train import train
from vla_models.statistics import markdown_of
from vla_models.training import TrainingOptions


def reproduce(
    out: Path,
    *,
    episodes: int,
    options: TrainingOptions,
    scenes: int,
    seed: int = 0,
    jobs: int = 1,
    robot: str = 'humanoid32',
    parameters: str | None = None,
    duration: float | None = None,
    seeds: int = 1,
) -> dict:
    """Collect, train, export and evaluate in `out`/{data,run,bundle}; returns the evaluation."""
    collect(robot, episodes, out / 'data', seed, jobs, parameters)
    train(out / 'data', out / 'run', options)
    export_run(out / 'run', out / 'bundle')
    how = {} if duration is None else {'duration': duration}
    result = evaluate(
        out / 'bundle',
        scenes,
        seed + 1,
        jobs=jobs,
        robot=robot,
        parameters=parameters,
        seeds=seeds,
        **how,
    )
    (out / 'evaluation.json').write_text(json.dumps(result, indent=1) + '\n')
    (out / 'evaluation.md').write_text(markdown_of(result) + '\n')
    return result


@verb.plain
def main(arguments: list[str] | None = None) -> int:
    p = parser(
        'vla_deploy reproduce',
        'Collect, train, export and evaluate: OUT/data, OUT/run, OUT/bundle, OUT/evaluation.json.',
        'An interrupted part is continued. The defaults are those of the shipped bundle.'
        '\n\nexample:\n  ros2 run vla_deploy reproduce --out /tmp/vla --jobs 2',
    )
    p.add_argument('--out', type=Path, required=True, metavar='DIR')
    p.add_argument(
        '--episodes', type=positive, default=1200, help='demonstrations to collect (default 1200)'
    )
    p.add_argument(
        '--minutes', type=float, default=142.0, help='longest training, in minutes (default 142)'
    )
    p.add_argument(
        '--epochs', type=positive, default=40, help='longest training, in epochs (default 40)'
    )
    p.add_argument(
        '--scenes', type=positive, default=100, help='scenes to evaluate in (default 100)'
    )
    p.add_argument(
        '--seeds', type=positive, default=5, help='so many times other scenes (default 5)'
    )
    verb.add_options(p, 'seed', 'jobs', 'robot', threads=2)
    a = p.parse_args(arguments)
    options = TrainingOptions(epochs=a.epochs, minutes=a.minutes, threads=a.threads, seed=a.seed)
    how = {'episodes': a.episodes, 'options': options, 'scenes': a.scenes, 'seed': a.seed}
    result = reproduce(a.out, **how, jobs=a.jobs, robot=a.robot, seeds=a.seeds)
    console.print(markdown_of(result))
    return 0
