# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation stops``: how long a stop takes, from the request to rest."""

import argparse
import os
import signal
import sys
import time
from typing import Any

from vla_common.distribution import distribution
from vla_common.scheduling import Priority
from vla_common.states import Mode
from vla_common.terminal import not_negative, progress
from vla_validation import report
from vla_validation.stops.stopwatch import STAGES, StopTimes, Stopwatch
from vla_validation.system_harness.machine import busy
from vla_validation.system_harness.robot import NODES, HarnessError, LaunchedRobot, own_domain

LIMITS = (
    ('request_to_damped_ms', 'p50', {'idle': 3.0, 'loaded': 3.0}),
    ('request_to_damped_ms', 'p99', {'idle': 15.0, 'loaded': 15.0}),
    ('node_loss_to_stop_ms', 'p99', {'idle': 120.0, 'loaded': 120.0}),
    ('command_estop_ms', 'p99', {'idle': 400.0, 'loaded': 1500.0}),
)
"""Stage, figure, ms at most in each condition."""


class Session:
    """The stops of one robot in one condition.

    Args:
        options: of the command line.
        loaded: whether an instruction is carried out, on a busy machine.
    """

    def __init__(self, options: argparse.Namespace, loaded: bool) -> None:
        self._options, self._loaded = options, loaded
        self.times = StopTimes()

    def run(self) -> None:
        """Launch the robot, measure, take it down. Raises HarnessError."""
        options, condition = self._options, 'loaded' if self._loaded else 'idle'
        arguments = {
            'instruction': 'none',
            'time_limit': 3600.0,
            **({} if self._loaded else {'policy': 'scripted'}),
            **report.launch_arguments(options),
        }
        stops = options.n + options.commands + (options.losses + options.kills) * len(NODES)
        with (
            progress('stops') as bar,
            busy(options.busy if self._loaded else 0),
            LaunchedRobot(arguments, priority=Priority.MONITOR) as robot,
        ):
            robot.wait_mode(Mode.READY)
            line = bar.add_task(condition, total=stops)
            stopwatch = Stopwatch(robot, self.times)

            def prepare(what: str) -> None:
                bar.update(line, description=f'{condition}: {what}', advance=1)
                (robot.start_motion if self._loaded else robot.recover_to_hold)()

            for i in range(options.n):
                prepare('e-stop')
                stopwatch.estop(until_rest=i < options.falls)
            for _ in range(options.commands):
                prepare('e-stop from a terminal')
                stopwatch.command_estop()
            for number, times in (
                (signal.SIGSTOP, options.losses),
                (signal.SIGKILL, options.kills),
            ):
                for node in NODES * times:
                    prepare(f'{node} {"frozen" if number == signal.SIGSTOP else "killed"}')
                    stopwatch.loss(node, number)
                    if number == signal.SIGKILL:
                        time.sleep(2.5)  # launch starts it again


def result(times: StopTimes) -> dict[str, Any]:
    """Distributions of one condition."""
    every = [ms for of_node in times.losses.values() for ms in of_node]
    return {
        **{name: distribution(values) for name, values in times.stages.items()},
        'node_loss_to_stop_ms': distribution(every),
        'node_loss_by_node_ms': {name: distribution(ms) for name, ms in times.losses.items()},
    }


def failures(conditions: dict[str, dict[str, Any]]) -> list[str]:
    """Which figures exceed their limits, in words."""
    return [
        f'{condition}: {stage} {figure} {figures[stage][figure]:.2f}, wanted <= {most[condition]:g}'
        for condition, figures in conditions.items()
        for stage, figure, most in LIMITS
        if figures[stage]['n'] and not figures[stage][figure] <= most[condition]
    ]


def table(conditions: dict[str, dict[str, Any]]) -> str:
    """The distributions, as Markdown."""
    found = [
        (name, condition, figures[name])
        for name in STAGES
        for condition, figures in conditions.items()
    ]
    for condition, figures in conditions.items():
        found.append(('a node lost to stop behaviour', condition, figures['node_loss_to_stop_ms']))
        by_node = figures['node_loss_by_node_ms'].items()
        found += [(f'… {node}', condition, row) for node, row in by_node]
    columns = ('p50', 'p99', 'max')
    rows = [
        (STAGES.get(name, name), condition, *(f'{row[c]:.1f}' for c in columns), row['n'])
        for name, condition, row in found
        if row['n']
    ]
    return report.table(('stage', 'condition', 'p50 ms', 'p99 ms', 'max ms', 'n'), rows)


def _parser() -> argparse.ArgumentParser:
    parser = report.parser(
        'stops',
        'Measure how long a stop takes, from the request to rest.\n\n'
        'The simulated robot is launched in a ROS domain of its own, idle (standing, no\n'
        'instruction) and loaded (it carries out an instruction, every core is busy besides),\n'
        'and taken down again.',
        'Exit status 0: all figures are within their limits; 1: one is not; 2: not measured.\n\n'
        'examples:\n  ros2 run vla_validation stops --only idle --n 50 --falls 5\n'
        '  ros2 run vla_validation stops --json robot:=my_robot params_file:=my.yaml',
    )
    parser.add_argument(
        '--n', type=not_negative, default=500, help='e-stops in each condition (default 500)'
    )
    parser.add_argument(
        '--falls', type=not_negative, default=20,
        help='e-stops of --n timed until the robot rests, about 3 s each (default 20)',
    )  # fmt: skip
    parser.add_argument(
        '--losses',
        type=not_negative,
        default=20,
        help='freezes of each node in each condition (default 20)',
    )
    parser.add_argument(
        '--kills',
        type=not_negative,
        default=0,
        help='kills of each node in each condition (default 0)',
    )
    parser.add_argument(
        '--commands', type=not_negative, default=100,
        help='e-stops by the command in a terminal, in each condition (default 100)',
    )  # fmt: skip
    parser.add_argument(
        '--busy', type=not_negative, default=os.cpu_count() or 1,
        help='busy processes in the loaded condition (default: one per core)',
    )  # fmt: skip
    parser.add_argument('--only', choices=('idle', 'loaded'), help='measure one condition alone')
    report.add_launch_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)

    def work() -> tuple[dict[str, Any], int]:
        where = report.machine()
        sessions: dict[str, Session] = {}
        error = ''
        try:
            with own_domain():
                for condition in (options.only,) if options.only else ('idle', 'loaded'):
                    sessions[condition] = Session(options, condition == 'loaded')
                    sessions[condition].run()
        except (HarnessError, KeyboardInterrupt) as stopped:
            error = str(stopped) or 'interrupted'
            print(f'stops: {error}\nmeasured before that:', file=sys.stderr)
        found = {condition: result(session.times) for condition, session in sessions.items()}
        print(f'{where}\n\n{table(found)}', file=sys.stderr if options.json else sys.stdout)
        exceeded = failures(found)
        for failure in exceeded:
            print(f'did not hold: {failure}', file=sys.stderr)
        about = {'machine': where, **({'error': error} if error else {})}
        return found | about, 2 if error else 1 if exceeded else 0

    return report.run('stops', work, options.json)
