# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models evaluate`: closed loop in physics, with controls."""

import json
from pathlib import Path

from rich.table import Table

from vla_common.terminal import console, guarded, parser, positive, progress
from vla_models.evaluation import DURATION, VARIANTS, WORDS, Episodes, Item
from vla_models.parallel import each
from vla_models.refusals import WordsOutcome
from vla_models.scenarios import SUITES
from vla_models.statistics import (
    CONTROLS,
    HEAD,
    EpisodeOutcome,
    answers_of,
    last_line,
    markdown_of,
    rows_of,
    share,
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
    seeds: int = 1,
    language: int | None = None,
) -> dict:
    """The result as in the JSON (see `statistics.summarise`).

    seeds: from `seed` on, each with `scenes` of the policy; the controls have the first one.
    language: scenes of relations, of two steps and of impossible tasks each; None for `scenes`
    where the bundle judges instructions, else none.
    """
    # A wrong bundle is rejected before anything starts.
    judges = load_bundle(bundle, load_robot(robot)).acceptance.judges
    more = (scenes if judges else 0) if language is None else language
    counts = dict.fromkeys(VARIANTS, scenes if controls is None else min(controls, scenes))
    counts['policy'] = scenes
    work: list[Item] = [(v, number, seed) for v in VARIANTS for number in range(counts[v])]
    work += [('policy', n, seed + i) for i in range(1, seeds) for n in range(scenes)]
    work += [(suite, number, seed) for suite in SUITES for number in range(more)]
    if more:
        work.append((WORDS, 0, seed))
    found: dict[Item, EpisodeOutcome | WordsOutcome] = {}
    arguments = (str(bundle), robot, seed, parameters, duration)
    with progress('episodes') as bar:
        line = bar.add_task('evaluating', total=len(work))
        for item, outcome in each(Episodes, arguments, work, jobs):
            if outcome is not None:
                found[item] = outcome
            bar.advance(line)
    groups = {
        name: [found[item] for item in work if item[0] == name and item in found]
        for name in (*VARIANTS, *SUITES)
    }
    by_seed = {
        str(s): share([found[item] for item in work if item[0] == 'policy' and item[2] == s])
        for s in range(seed, seed + seeds)
    }
    result = summarise(groups['policy'], {name: groups[name] for name in CONTROLS})
    result['by_seed'] = by_seed
    if more:
        words = found[(WORDS, 0, seed)]
        result |= answers_of(groups['policy'], {name: groups[name] for name in SUITES}, words)
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
    p.add_argument('--seeds', type=positive, default=1, metavar='N', help='seeds from --seed on, '
                   'each with --scenes episodes of the policy (default 1)')  # fmt: skip
    p.add_argument('--language', type=int, metavar='N', help='episodes each of relations, two '
                   'steps and impossible tasks (default: as --scenes, for a bundle that judges '
                   'instructions)')  # fmt: skip
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
        seeds=a.seeds,
        language=a.language,
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
