# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation policy_blending`: a bundle in each blending mode, for several delays."""

import json
from pathlib import Path

import numpy as np
from rich.table import Table

from vla_common.terminal import console, guarded, parser, positive, progress
from vla_inference.blender import Blending
from vla_models.evaluation import DURATION, Episodes
from vla_models.parallel import each
from vla_models.robot_stack import USUAL, Timing
from vla_models.rollout import Run
from vla_models.scenarios import make_scenario
from vla_models.statistics import EpisodeOutcome
from vla_policy.bundle.bundle import load_bundle
from vla_robot import load_robot

MODES = tuple(mode.value for mode in Blending)
DELAYS = (USUAL.camera + USUAL.inference, 0.2, 0.4)
COLUMNS = ('success', 'seconds', 'position_p95', 'velocity_p95', 'acceleration_p95', 'jerk_rms')


class DelayedEpisodes(Episodes):
    """Runs one (mode, delay in s, number) at a time; see Episodes."""

    def __call__(self, item: tuple[str, float, int]) -> tuple[EpisodeOutcome, Run]:
        mode, delay, number = item
        scenario = make_scenario(self.robot, self.expert.goals, self.seed, number)
        return self.run(scenario, timing=Timing.of(delay), blending=mode)


def row(episodes: list[tuple[EpisodeOutcome, Run]]) -> dict[str, float]:
    """The figures of one mode and delay."""
    borders = np.concatenate([run.borders for _, run in episodes])
    p95 = np.percentile(borders, 95, axis=0) if len(borders) else np.zeros(3)
    done = [outcome for outcome, _ in episodes if outcome.success]
    return {
        'success': round(len(done) / len(episodes), 4),
        'n': len(episodes),
        'seconds': round(float(np.median([o.seconds for o in done])), 2) if done else None,
        'position_p95': round(float(p95[0]), 4),
        'velocity_p95': round(float(p95[1]), 3),
        'acceleration_p95': round(float(p95[2]), 2),
        'jerk_rms': round(float(np.mean([run.jerk for _, run in episodes])), 1),
        'violations': sum(outcome.violations for outcome, _ in episodes),
    }


def blend(
    bundle: Path, scenes: int, seed: int, delays: tuple[float, ...], jobs: int, robot: str
) -> dict[str, dict[str, dict]]:
    """delay in ms -> mode -> row."""
    load_bundle(bundle, load_robot(robot))  # a wrong bundle is rejected before anything starts
    work = [(mode, delay, n) for delay in delays for mode in MODES for n in range(scenes)]
    found: dict[tuple[str, float], list] = {}
    with progress('episodes') as bar:
        line = bar.add_task('blending', total=len(work))
        arguments = (str(bundle), robot, seed, None, DURATION)
        for (mode, delay, _), episode in each(DelayedEpisodes, arguments, work, jobs):
            found.setdefault((mode, delay), []).append(episode)
            bar.advance(line)
    return {
        f'{1e3 * delay:.0f}': {mode: row(found[mode, delay]) for mode in MODES} for delay in delays
    }


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'vla_validation policy_blending',
        'Run a bundle in the simulator with a given delay of its chunks, in each blending mode of\n'
        'the inference node: success and smoothness.',
        'position, velocity, acceleration: the step between two chunks, 95th percentile (rad,\n'
        'rad/s, rad/s^2); jerk: RMS of the commands of the filter (rad/s^3).\n\nexample:\n'
        '  ros2 run vla_validation policy_blending --bundle models/humanoid_vla --scenes 20',
    )
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='policy bundle')
    p.add_argument(
        '--scenes', type=positive, required=True, metavar='N', help='scenes of each kind of task'
    )
    p.add_argument('--seed', type=int, default=1, help='seed of scenes and phrasings (default 1)')
    p.add_argument(
        '--delay',
        type=float,
        nargs='+',
        default=DELAYS,
        metavar='S',
        help='delays from image to chunk, s (default 0.04 0.2 0.4)',
    )
    p.add_argument('--jobs', type=positive, default=1, help='processes (default 1)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    a = p.parse_args(arguments)
    result = blend(a.bundle, a.scenes, a.seed, tuple(a.delay), a.jobs, a.robot)
    if a.json:
        print(json.dumps(result, indent=1))
        return 0
    table = Table('delay', 'mode', *COLUMNS)
    for delay, modes in result.items():
        for mode, found in modes.items():
            table.add_row(f'{delay} ms', mode, *(str(found[column]) for column in COLUMNS))
    console.print(table)
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)
