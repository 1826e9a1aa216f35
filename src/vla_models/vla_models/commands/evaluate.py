# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models evaluate`: closed loop in physics, with controls that must fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.table import Table

from vla_inference.bundle import load_bundle
from vla_models.commands.terminal import console, guarded, parser, positive, progress
from vla_models.evaluation import (
    DURATION,
    SEEING,
    VARIANTS,
    BundleBrain,
    ExpertBrain,
    Outcome,
    make_scenario,
    run_episode,
    summarise,
)
from vla_models.expert import Expert
from vla_models.parallel import each
from vla_robot import load_robot
from vla_safety.parameters import load_parameters
from vla_safety.pipeline import SafetyPipeline


class Episodes:
    """Runs one (variant, number) at a time, in a process of its own."""

    def __init__(
        self, bundle: str, robot: str, seed: int, parameters: str | None, duration: float
    ) -> None:
        self.robot = load_robot(robot)
        self.seed, self.duration = seed, duration
        self.pipeline = SafetyPipeline(self.robot, load_parameters(parameters))
        self.expert = Expert(self.robot)
        self.seeing = BundleBrain(Path(bundle), self.robot)
        self.blind = BundleBrain(Path(bundle), self.robot, blind=True)

    def __call__(self, item: tuple[str, int]) -> Outcome | None:
        variant, number = item
        scenario = make_scenario(self.robot, self.expert, self.seed, number)
        # A blind robot can still wave; only what needs eyes tells whether it looks.
        if variant == 'blind' and scenario.task.kind not in SEEING:
            return None
        brains = {'policy': self.seeing, 'blind': self.blind, 'deaf': self.seeing}
        brain = brains.get(variant) or ExpertBrain(self.robot, scenario)
        words = scenario.misheard if variant == 'deaf' else scenario.instruction
        return run_episode(
            self.robot, self.pipeline, brain, scenario, words, duration=self.duration
        )


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
    """The result as in the JSON: success, n, ci95, tasks, falls, violations, controls."""
    load_bundle(bundle, load_robot(robot))  # a wrong bundle is told before anything starts
    counts = dict.fromkeys(VARIANTS, scenes if controls is None else min(controls, scenes))
    counts['policy'] = scenes
    work = [(variant, number) for variant in VARIANTS for number in range(counts[variant])]
    outcomes: dict[str, dict[int, Outcome]] = {variant: {} for variant in VARIANTS}
    arguments = (str(bundle), robot, seed, parameters, duration)
    with progress('episodes') as bar:
        line = bar.add_task('evaluating', total=len(work))
        for (variant, number), outcome in each(Episodes, arguments, work, jobs):
            if outcome is not None:
                outcomes[variant][number] = outcome
            bar.advance(line)
    summaries = {v: summarise([found[n] for n in sorted(found)]) for v, found in outcomes.items()}
    result = summaries.pop('policy')
    return {'bundle': str(bundle), 'seed': seed, **result, 'controls': summaries}


def _percent(part: dict | None) -> str:
    if not part or part['success'] is None:
        return '–'
    return f'{100 * part["success"]:.0f} % of {part["n"]}'


def table_of(result: dict) -> list[tuple[str, ...]]:
    """Rows for people: task, policy, its interval, median error, expert, blind, deaf."""
    rows = []
    controls = result['controls']
    for name, part in result['tasks'].items():
        low, high = part['ci95']
        error = part.get('median_error')
        rows.append(
            (
                name,
                _percent(part),
                f'{100 * low:.0f}–{100 * high:.0f} %',
                '–' if error is None else f'{error:.3f}',
                *(_percent(controls[v]['tasks'].get(name)) for v in VARIANTS[1:]),
            )
        )
    low, high = result['ci95']
    rows.append(
        ('all', _percent(result), f'{100 * low:.0f}–{100 * high:.0f} %', '')
        + tuple(_percent(controls[v]) for v in VARIANTS[1:])
    )
    return rows


HEAD = ('task', 'policy', '95 % interval', 'median error', *VARIANTS[1:])


def markdown_of(result: dict) -> str:
    """The table as the model card prints it."""
    lines = ['| ' + ' | '.join(HEAD) + ' |', '|' + '---|' * len(HEAD)]
    lines += ['| ' + ' | '.join(row) + ' |' for row in table_of(result)]
    lines.append('')
    lines.append(
        f'Falls {result["falls"]}, limit violations after the filter {result["violations"]}.'
    )
    return '\n'.join(lines)


def _print(result: dict) -> None:
    table = Table(*HEAD)
    for row in table_of(result):
        table.add_row(*row)
    console.print(table)
    console.print(f'falls {result["falls"]}, limit violations {result["violations"]}')


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'evaluate',
        'Run a bundle in the simulator, through the safety filter and the balance correction, on\n'
        'scenes and phrasings that it was not trained on, and judge it by ground truth.',
        'Controls, on the same scenes: expert (knows where the cubes are: the upper bound), blind\n'
        '(grey images; only tasks that need eyes) and deaf (the words of another task). Blind and\n'
        'deaf must fail: if they do not, the policy is not looking or not reading.\n'
        'Errors are metres (reach) or radians, the worst of the last half second.\n\nexample:\n'
        '  ros2 run vla_models evaluate --bundle models/humanoid_vla --scenes 100 --seed 1 --json',
    )
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='policy bundle')
    p.add_argument('--scenes', type=positive, required=True, metavar='N', help='episodes')
    p.add_argument('--seed', type=int, default=1, help='of scenes and phrasings (default 1)')
    p.add_argument('--controls', type=int, help='scenes for each control (default: all)')
    p.add_argument('--jobs', type=positive, default=1, help='processes (default 1)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--filter', metavar='FILE', help='safety filter parameters (default: installed)')
    p.add_argument('--duration', type=float, default=DURATION, help='s per episode (default 9)')
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


if __name__ == '__main__':
    sys.exit(main())
