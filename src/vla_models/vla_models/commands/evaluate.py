# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models evaluate`: closed loop in physics, with controls."""

import json
from pathlib import Path

from rich.table import Table

from vla_common.terminal import console, guarded, parser, positive, progress
from vla_models.evaluation import DURATION, VARIANTS, Episodes
from vla_models.parallel import each
from vla_models.statistics import (
    CONTROLS,
    HEAD,
    EpisodeOutcome,
    last_line,
    markdown_of,
    rows_of,
    summarise,
)
from vla_policy.bundle.bundle import load_bundle
from vla_robot import load_robot


def evaluate(
    bundle: Path,
    scenes: int,
    seed: int,
    *,
    controls: int | None = None,
    jobs: int = 1,
    robot: str = 'humanoid32',
    parameters: str | None = None,
    duration: float = DURATION,
) -> dict:
    """The result as in the JSON (see `statistics.summarise`)."""
    load_bundle(bundle, load_robot(robot))  # a wrong bundle is rejected before anything starts
    counts = dict.fromkeys(VARIANTS, scenes if controls is None else min(controls, scenes))
    counts['policy'] = scenes
    work = [(variant, number) for variant in VARIANTS for number in range(counts[variant])]
    outcomes: dict[str, dict[int, EpisodeOutcome]] = {variant: {} for variant in VARIANTS}
    arguments = (str(bundle), robot, seed, parameters, duration)
    with progress('episodes') as bar:
        line = bar.add_task('evaluating', total=len(work))
        for (variant, number), outcome in each(Episodes, arguments, work, jobs):
            if outcome is not None:
                outcomes[variant][number] = outcome
            bar.advance(line)
    ordered = {v: [found[n] for n in sorted(found)] for v, found in outcomes.items()}
    result = summarise(ordered['policy'], {name: ordered[name] for name in CONTROLS})
    # Not the path: the record of an evaluation may be published.
    result['details'] |= {'bundle': bundle.resolve().name, 'seed': seed}
    return result


def _print(result: dict) -> None:
    table = Table(*HEAD)
    for row in rows_of(result):
        table.add_row(*row)
    console.print(table)
    console.print(last_line(result))


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'vla_models evaluate',
        'Run a bundle in the simulator on the path of the robot (inference step, safety filter,\n'
        'servo loop), on scenes and phrasings that are not in the training data. Success is\n'
        'measured by ground truth.',
        'Controls, on the same scenes: expert (knows the places of the cubes: the upper bound),\n'
        'blind (grey images; only tasks that need the image) and deaf (the instruction of another\n'
        'task). Blind and deaf must fail; else the policy ignores the image or the words.\n'
        'Of 20 scenes, 16 are about a cube; of 250, 200 are to reach, point or look.\n'
        'error: metres (reach) or radians, the worst of the last half second, median; time and\n'
        'path to success: medians.\n\nexample:\n'
        '  ros2 run vla_models evaluate --bundle models/humanoid_vla --scenes 250 --seed 1 --json',
    )
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='policy bundle')
    p.add_argument('--scenes', type=positive, required=True, metavar='N', help='episodes')
    p.add_argument('--seed', type=int, default=1, help='seed of scenes and phrasings (default 1)')
    p.add_argument('--controls', type=positive, help='scenes for each control (default: all)')
    p.add_argument('--jobs', type=positive, default=1, help='processes (default 1)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--filter', metavar='FILE', help='safety filter parameters (default: installed)')
    p.add_argument(
        '--duration', type=float, default=DURATION, help='duration of an episode, s (default 9)'
    )
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    p.add_argument('--markdown', action='store_true', help='print the table for the model card')
    a = p.parse_args(arguments)
    result = evaluate(
        a.bundle,
        a.scenes,
        a.seed,
        controls=a.controls,
        jobs=a.jobs,
        robot=a.robot,
        parameters=a.filter,
        duration=a.duration,
    )
    if a.json:
        print(json.dumps(result, indent=1))
    elif a.markdown:
        print(markdown_of(result))
    else:
        _print(result)
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)
