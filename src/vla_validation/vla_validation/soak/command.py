# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation soak``: what grows while the robot works for an hour."""

import argparse
import itertools
import sys
import time
from typing import Any

from vla_common.states import Mode
from vla_common.terminal import a_time, progress
from vla_interfaces.msg import DriverStatus, SupervisorState
from vla_validation import report
from vla_validation.report import NotMeasuredError
from vla_validation.soak.resources import Sample, failures, growth, sample
from vla_validation.system_harness.robot import INSTRUCTION, NODES, LaunchedRobot, own_domain

_INSTRUCTIONS = (INSTRUCTION, 'look at the red cube', 'point at the blue cube with your right hand')
_INSTRUCTION_EVERY = 8.0  # s
_TIME_LIMIT = 6.0  # s of each instruction
_SAMPLE_EVERY = 5.0  # s
_SETTLE = 5.0  # min


class Soak:
    """A robot that gets instructions, and the samples of its processes.

    Args:
        robot: launched, in READY.
        samples: appended to.
        counts: of `instructions` and `stops`, increased.
    """

    def __init__(self, robot: LaunchedRobot, samples: list[Sample], counts: dict[str, int]) -> None:
        self._robot, self._samples, self._counts = robot, samples, counts
        self._pids = {name: robot.pid(name) for name in NODES}
        self._texts = itertools.cycle(_INSTRUCTIONS)
        self._mode = robot.mode
        robot.add_listener(self._note)

    def _note(self, message: SupervisorState | DriverStatus) -> None:
        if not isinstance(message, SupervisorState):
            return
        mode, before = Mode(message.mode), self._mode
        self._mode = mode
        if mode is before:
            return
        self._counts['instructions'] += mode is Mode.RUNNING
        self._counts['stops'] += mode in (Mode.SAFE_STOP, Mode.ESTOP)

    def run(self, seconds: float) -> None:
        """Work and sample. Raises HarnessError; NotMeasuredError: a node was restarted."""
        begin = time.monotonic()
        due_instruction = due_sample = begin
        with progress('s') as bar:
            line = bar.add_task('soak', total=round(seconds))
            while (now := time.monotonic()) < begin + seconds:
                if failure := self._robot.failure():
                    raise NotMeasuredError(failure)
                if now >= due_sample:
                    due_sample += _SAMPLE_EVERY
                    try:
                        self._samples.append(sample(self._pids, now))
                    except ProcessLookupError as error:
                        raise NotMeasuredError(f'a node was restarted: {error}') from error
                    text = ', '.join(f'{n} {what}' for what, n in self._counts.items())
                    bar.update(line, completed=round(now - begin), description=text)
                if now >= due_instruction:
                    due_instruction += _INSTRUCTION_EVERY
                    if self._mode in (Mode.SAFE_STOP, Mode.ESTOP):
                        self._robot.recover()
                    self._robot.instruct(next(self._texts))
                time.sleep(0.05)


def table(result: dict[str, Any]) -> str:
    """The result, as Markdown."""
    rows: list[tuple[object, ...]] = [
        (name, f'{rate:+.2f} MB/h') for name, rate in result['growth_mb_per_h'].items()
    ]
    rows += [(key, f'{result[key]:+g}') for key in ('threads', 'descriptors', 'shm_mb')]
    rows += [(key, result[key]) for key in ('minutes', 'instructions', 'stops')]
    return report.table(('', 'after settling'), rows)


def main(argv: list[str] | None = None) -> int:
    parser = report.parser(
        'soak',
        'Measure what grows while the robot works: resident memory of each node, threads,\n'
        'descriptors and shared memory segments.\n\n'
        'The simulated robot is launched in a ROS domain of its own, gets an instruction every\n'
        f'{_INSTRUCTION_EVERY:g} s, and is taken down again. What it takes up while it settles '
        'does not count.',
        'Exit status 0: nothing grew beyond its limit; 1: something did; 2: not measured.\n\n'
        'examples:\n  ros2 run vla_validation soak --minutes 60 --json\n'
        '  ros2 run vla_validation soak --minutes 10 --settle 3 robot:=my_robot',
    )
    parser.add_argument(
        '--minutes', type=a_time, default=60.0, help='duration with the settling (default 60)'
    )
    parser.add_argument(
        '--settle', type=a_time, metavar='MINUTES',
        help=f'minutes that do not count (default {_SETTLE:g}, at most a third of the duration)',
    )  # fmt: skip
    parser.add_argument(
        '--limit', type=a_time, default=1.0, metavar='MB_PER_H',
        help='memory growth that each node may have (default 1)',
    )  # fmt: skip
    report.add_launch_arguments(parser)
    options = parser.parse_args(argv)
    settle = min(_SETTLE, options.minutes / 3) if options.settle is None else options.settle
    least = settle + 6 * _SAMPLE_EVERY / 60.0
    if not options.minutes >= least:
        parser.error(f'--minutes: found {options.minutes:g}, wanted at least {least:g}')

    def work() -> tuple[dict[str, Any], int]:
        result = soak(options, settle)
        print(f'{report.machine()}\n\n{table(result)}', file=_out(options))
        exceeded = failures(result, options.limit)
        for failure in exceeded:
            print(f'did not hold: {failure}', file=sys.stderr)
        return result, 2 if 'error' in result else 1 if exceeded else 0

    return report.run('soak', work, options.json)


def soak(options: argparse.Namespace, settle: float) -> dict[str, Any]:
    """Launch, work, take down. What was measured before an `error` is kept.

    Raises NotMeasuredError: nothing was; ConfigError.
    """
    arguments = {
        'instruction': 'none',
        'time_limit': _TIME_LIMIT,
        **report.launch_arguments(options),
    }
    samples: list[Sample] = []
    counts = {'instructions': 0, 'stops': 0}
    error: dict[str, str] = {}
    try:
        with own_domain(), LaunchedRobot(arguments) as robot:
            robot.wait_mode(Mode.READY)
            Soak(robot, samples, counts).run(60.0 * options.minutes)
    except (NotMeasuredError, KeyboardInterrupt) as stopped:
        error = {'error': str(stopped) or 'interrupted'}
        print(f'soak: {error["error"]}', file=sys.stderr)
    try:
        grown = growth(samples, 60.0 * settle)
    except ValueError as too_few:
        raise NotMeasuredError(error.get('error') or str(too_few)) from too_few
    minutes = round((samples[-1].time - samples[0].time) / 60.0, 1)
    return {'minutes': minutes, **grown, **counts, **error}


def _out(options: argparse.Namespace) -> Any:
    return sys.stderr if options.json else sys.stdout
