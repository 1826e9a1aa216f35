# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation stops``: how long a stop takes, from the request to rest.

It brings the simulated robot up in a ROS domain of its own, idle (standing, no instruction) and
loaded (the policy carries out an instruction, every core busy besides), and takes it down again.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
from typing import Any

from std_msgs.msg import String

from vla_common import qos
from vla_common.scheduling import Priority
from vla_common.states import Behaviour, Mode
from vla_validation.stops.stopwatch import STAGES, StopTimes, Stopwatch
from vla_validation.system_harness.load import busy
from vla_validation.system_harness.metrics import distribution, machine
from vla_validation.system_harness.progress import Progress
from vla_validation.system_harness.robot import (
    BRING_UP,
    NODES,
    HarnessError,
    LaunchedRobot,
    own_domain,
)

INSTRUCTION = 'wave with your left hand'
WANTED = (
    ('request_to_damped_ms', 'p50', 3.0),
    ('request_to_damped_ms', 'p99', 15.0),
    ('node_loss_to_stop_ms', 'p99', 120.0),
)
"""What has to hold: stage, figure, ms at most."""


class Session:
    """One robot in one condition.

    Args:
        options: of the command line.
        loaded: whether an instruction is being carried out.
        progress: told of each stop.
    """

    def __init__(self, options: argparse.Namespace, loaded: bool, progress: Progress) -> None:
        self._options, self._loaded, self._progress = options, loaded, progress
        self.times = StopTimes()

    def run(self, log: pathlib.Path) -> StopTimes:
        """Bring the robot up, measure, take it down. Raises RehearsalError."""
        arguments = {'instruction': 'none', 'time_limit': 3600.0, **_pairs(self._options.launch)}
        if not self._loaded and 'policy' not in arguments:
            arguments['policy'] = 'scripted'
        load = self._options.busy if self._loaded else 0
        with (
            busy(load),
            LaunchedRobot(log, arguments, priority=Priority.MONITOR) as robot,
        ):
            self._robot = robot
            robot.wait(lambda: robot.mode is Mode.READY, BRING_UP, 'READY')
            self._instructions = robot.node.create_publisher(
                String, '/vla/instruction', qos.COMMAND
            )
            stopwatch = Stopwatch(robot, self.times)
            condition = 'loaded' if self._loaded else 'idle'
            for i in range(self._options.n):
                self._progress.step(f'{condition}: e-stop {i + 1} of {self._options.n}')
                self._prepare()
                stopwatch.estop(until_rest=i < self._options.falls)
            for i in range(self._options.losses):
                for node in NODES:
                    self._progress.step(f'{condition}: {node} frozen, {i + 1}')
                    self._prepare()
                    stopwatch.loss(node, signal.SIGSTOP)
            for i in range(self._options.kills):
                for node in NODES:
                    self._progress.step(f'{condition}: {node} killed, {i + 1}')
                    self._prepare()
                    stopwatch.loss(node, signal.SIGKILL)
                    robot.holds(lambda: False, 2.5)  # launch starts it again
        return self.times

    def _prepare(self) -> None:
        robot = self._robot
        robot.bring_back()
        if not self._loaded:
            robot.wait(lambda: robot.behaviour is Behaviour.HOLD, 10.0, 'behaviour HOLD')
            return
        for _ in range(20):
            self._instructions.publish(String(data=INSTRUCTION))
            if robot.holds(lambda: robot.behaviour is Behaviour.TRACK, 3.0):
                return
            robot.bring_back()
        raise HarnessError(f'the instruction is not carried out:\n{robot.tail()}')


def _pairs(given: list[str]) -> dict[str, str]:
    return dict(text.split(':=', 1) for text in given)


def result(times: StopTimes) -> dict[str, Any]:
    """Distributions of one condition."""
    every = [ms for of_node in times.losses.values() for ms in of_node]
    return {
        **{name: distribution(values) for name, values in times.stages.items()},
        'node_loss_to_stop_ms': distribution(every),
        'node_loss_by_node_ms': {name: distribution(ms) for name, ms in times.losses.items()},
    }


def verdict(conditions: dict[str, dict[str, Any]]) -> list[str]:
    """What does not hold, in words."""
    failures = []
    for condition, figures in conditions.items():
        for stage, figure, most in WANTED:
            value = figures[stage][figure]
            if figures[stage]['n'] and not value <= most:
                failures.append(f'{condition}: {stage} {figure} {value:.2f}, wanted <= {most:g}')
    return failures


def table(conditions: dict[str, dict[str, Any]]) -> str:
    """As Markdown, the way the README carries it."""
    rows = ['| stage | condition | p50 ms | p99 ms | max ms | n |', '|---|---|---|---|---|---|']

    def row(stage: str, condition: str, d: dict[str, Any]) -> None:
        if d['n']:
            rows.append(
                f'| {stage} | {condition} | {d["p50"]:.1f} | {d["p99"]:.1f} | {d["max"]:.1f} '
                f'| {d["n"]} |'
            )

    for name, told in STAGES.items():
        for condition, figures in conditions.items():
            row(told, condition, figures[name])
    for condition, figures in conditions.items():
        row('a node lost to stop behaviour', condition, figures['node_loss_to_stop_ms'])
        for node, d in figures['node_loss_by_node_ms'].items():
            row(f'… {node}', condition, d)
    return '\n'.join(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='stops',
        description=__doc__.split('\n\n', 1)[0].split(': ', 1)[1]
        + ' Exit status 0: all wanted figures hold; 1: one does not; 2: not measured.',
        epilog=__doc__.split('\n\n', 1)[1],
    )
    parser.add_argument('--n', type=int, default=500, help='e-stops per condition (default 500)')
    parser.add_argument(
        '--falls',
        type=int,
        default=20,
        help='of them: so many are timed until the robot has sunk to rest (default 20; about 3 s '
        'each, so 500 of them take most of an hour)',
    )
    parser.add_argument(
        '--losses', type=int, default=20, help='per node and condition: frozen (default 20)'
    )
    parser.add_argument(
        '--kills', type=int, default=0, help='per node and condition: killed (default 0)'
    )
    parser.add_argument(
        '--busy',
        type=int,
        default=os.cpu_count() or 1,
        help='loaded: processes that keep a core busy each (default: one per core)',
    )
    parser.add_argument('--only', choices=('idle', 'loaded'), help='one condition alone')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    parser.add_argument(
        'launch', nargs='*', metavar='NAME:=VALUE', help='launch arguments: your robot, your files'
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Measure and exit."""
    options = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    conditions = (options.only,) if options.only else ('idle', 'loaded')
    per_condition = options.n + (options.losses + options.kills) * len(NODES)
    progress = Progress(per_condition * len(conditions))
    where = machine()
    # A robot that is up must not outlive the command, however that is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    domain = own_domain()
    log = pathlib.Path(tempfile.mkdtemp(prefix='measure_stops_')) / 'launch.log'
    times: dict[str, StopTimes] = {}
    error = ''
    try:
        for condition in conditions:
            session = Session(options, condition == 'loaded', progress)
            times[condition] = session.times
            session.run(log)
    except (HarnessError, KeyboardInterrupt) as stopped:
        error = str(stopped) or 'interrupted'
    finally:
        progress.end()
        domain.__exit__(None, None, None)
    if error:
        print(f'measure_stops: {error}\nlog: {log}\nmeasured before that:', file=sys.stderr)
    told = {condition: result(of) for condition, of in times.items()}
    failures = verdict(told)
    print(f'{where}\n\n{table(told)}', file=sys.stderr if options.json else sys.stdout)
    for failure in failures:
        print(f'did not hold: {failure}', file=sys.stderr)
    if options.json:
        print(json.dumps({**told, 'machine': where, **({'error': error} if error else {})}))
    sys.exit(2 if error else 1 if failures else 0)


if __name__ == '__main__':
    main()
