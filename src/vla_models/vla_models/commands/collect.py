# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models collect`: make demonstrations in the simulator."""

from pathlib import Path

from vla_common.terminal import console, guarded, parser, positive, progress
from vla_models.collection import FIRST_STATIC, Collector
from vla_models.dataset import EpisodeWriter, failures, finalise, finished_attempts
from vla_models.parallel import each
from vla_robot import load_robot

STATIC_EACH = 3  # episodes of static views for each demonstration


class EpisodeMaker:
    """Makes one attempt at a time, in a process of its own. Returns whether it gave an episode."""

    def __init__(self, robot: str, seed: int, out: str, parameters: str | None) -> None:
        model = load_robot(robot)
        self.collector = Collector(model, seed, parameters)
        self.writer = EpisodeWriter(Path(out), Collector.layout(model, seed))

    def __call__(self, attempt: int) -> bool:
        made = self.collector.attempt(attempt)
        if isinstance(made, str):
            self.writer.skip(attempt, made)
            return False
        self.writer.write(attempt, made)
        return True


def attempts_of(number: int) -> tuple[int, ...]:
    """The attempts of a demonstration and of its static views."""
    first = FIRST_STATIC + number * STATIC_EACH
    return (number, *range(first, first + STATIC_EACH))


def collect(
    robot: str, episodes: int, out: Path, seed: int, jobs: int, parameters: str | None = None
) -> tuple[int, int]:
    """Make what `out` lacks of `episodes` demonstrations and their static views. Returns how many
    were made and how many attempts failed.

    Raises ConfigError where `out` holds data of another kind or seed.
    """
    EpisodeWriter(out, Collector.layout(load_robot(robot), seed))  # rejected before anything starts
    done = finished_attempts(out)
    attempts = [a for number in range(episodes) for a in attempts_of(number)]
    missing = [attempt for attempt in attempts if attempt not in done]
    made = failed = 0
    with progress('demonstrations') as bar:
        begun = episodes - sum(attempt < FIRST_STATIC for attempt in missing)
        line = bar.add_task('collecting', total=episodes, completed=begun)
        maker = (robot, seed, str(out), parameters)
        for attempt, success in each(EpisodeMaker, maker, missing, jobs):
            made += success
            failed += not success
            text = f'collecting ({failed} attempts failed)'
            bar.update(line, advance=attempt < FIRST_STATIC, description=text)
    finalise(out)
    return made, failed


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'vla_models collect',
        'Let the expert do tasks in the simulator, in physics and through the safety filter, and\n'
        'record what it saw and did where it succeeded.',
        'An episode is one scene, one start posture and one instruction that is carried out; two\n'
        'scenes seen without motion go with each. A run that was interrupted is resumed.\n'
        " The layout on disk is LeRobot's (v3.0).\n\nexample:\n"
        '  ros2 run vla_models collect --episodes 2000 --out data --jobs 2',
    )
    p.add_argument(
        '--episodes',
        type=positive,
        required=True,
        metavar='N',
        help=f'demonstrations to attempt; {STATIC_EACH} episodes of static views go with each',
    )
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='dataset directory')
    p.add_argument('--seed', type=int, default=0, help='same seed, same data (default 0)')
    p.add_argument('--jobs', type=positive, default=1, help='processes (default 1)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--filter', metavar='FILE', help='safety filter parameters (default: installed)')
    a = p.parse_args(arguments)
    made, failed = collect(a.robot, a.episodes, a.out, a.seed, a.jobs, a.filter)
    console.print(
        f'{made} new episodes in {a.out}: demonstrations, and {STATIC_EACH} static views with each;'
        f' {failed} attempts failed'
    )
    for attempt, reason in sorted(failures(a.out).items())[:10]:
        console.print(f'  attempt {attempt}: {reason}')
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)
