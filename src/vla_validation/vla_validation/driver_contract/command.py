# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation driver``: does a driver keep the driver contract?"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vla_common.distribution import distribution
from vla_common.parameters import ParameterSchema
from vla_common.terminal import working
from vla_hardware.doubles import DOUBLES
from vla_hardware.doubles.in_process import InProcess
from vla_hardware.drivers import DRIVERS
from vla_hardware.limits import ServoLimits
from vla_robot import load_robot
from vla_validation import report
from vla_validation.driver_contract.clauses import CLAUSES, Clause
from vla_validation.driver_contract.rig import Broken, NotApplicableError, Pace, Rig

EPILOG = """\
examples:
  ros2 run vla_validation driver --driver mock
  ros2 run vla_validation driver --driver my_robot --robot $PWD/arm2 --json
  ros2 run vla_validation driver --driver my_robot --only connect joints stale

The driver is tested against the double that is registered under its name in the entry point group
vla.driver_doubles. With --on-robot it is tested on the robot itself, whose joints then move by up
to 0.1 rad: hang it up, and keep a hand on the hardware e-stop.

exit status: 0 every clause is kept; 1 one is broken; 2 not tested"""

LONGEST = 60.0  # s of a clause without pulled cables
PULL = 4.0  # s more for each pulled cable


class OnRobot(InProcess):
    """No double: the robot itself."""

    what = 'none: the robot itself'


def examine(rig: Rig, clauses: Sequence[Clause]) -> Iterator[tuple[Clause, str, str]]:
    """(clause, 'passed' | 'failed' | 'skipped', detail) of each. One that hangs is the last."""
    for clause in clauses:
        outcome: list[str] = []

        def work(clause: Clause = clause, outcome: list[str] = outcome) -> None:
            try:
                outcome += ['passed', clause.check(rig)]
            except Broken as broken:
                outcome += ['failed', str(broken)]
            except NotApplicableError as reason:
                outcome += ['skipped', str(reason)]
            except Exception as error:
                outcome += ['failed', f'{type(error).__name__}: {error}']

        # A thread of its own: a driver that hangs must not hang the test of it.
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(LONGEST + PULL * rig.pulls)
        if not outcome:
            yield clause, 'failed', 'a call did not return; the clauses after it were not tested'
            return
        yield clause, *outcome


def contract(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Test a driver and print the table."""
    place = 'command line'
    kind = DRIVERS.load(options.driver, place, '--driver')
    robot = load_robot(options.robot)
    known = [clause for clause in CLAUSES if not options.only or clause.name in options.only]
    if options.on_robot:
        double_kind = OnRobot
    else:
        try:
            double_kind = DOUBLES.load(options.driver, place, '--driver')
        except ValueError as error:
            raise report.NotMeasuredError(
                f'{options.driver} has no double (entry point group {DOUBLES.group}): add one, or '
                f'test it on the robot with --on-robot, hung up ({error})'
            ) from error
    with tempfile.TemporaryDirectory(prefix='vla_driver_') as folder:
        double = double_kind.start(robot, Path(folder))
        try:
            given = {'driver': options.driver, 'robot': options.robot, **double.params}
            if options.config:
                given['driver_config'] = options.config
            limits = ServoLimits.load()
            params = ParameterSchema.load('vla_hardware').defaults(**vars(limits), **given)
            rig = Rig(
                options.driver, kind, robot, double, params, limits, Pace(), Path(folder),
                pulls=options.pulls,
            )  # fmt: skip
            rows = []
            with working() as show:
                for clause, result, detail in examine(rig, known):
                    show(clause.name)
                    rows.append((clause, result, detail))
        finally:
            double.close()
    return summary(rig, rows)


def summary(rig: Rig, rows: list[tuple[Clause, str, str]]) -> tuple[dict[str, Any], int]:
    """The result and the exit status; prints the table."""
    counts = {word: sum(result == word for _, result, _ in rows) for word in
              ('passed', 'failed', 'skipped')}  # fmt: skip
    cells = [(clause.name, result, clause.promise, detail) for clause, result, detail in rows]
    print(report.table(('clause', 'result', 'promise', 'detail'), cells), file=sys.stderr)
    print(
        f'\n{rig.name} on {rig.robot.name}, against: {rig.double.what}. '
        + ', '.join(f'{number} {word}' for word, number in counts.items()),
        file=sys.stderr,
    )
    clauses = [
        {'clause': clause.name, 'result': result, 'detail': detail}
        for clause, result, detail in rows
    ]
    result = {
        'driver': rig.name,
        'robot': rig.robot.name,
        **counts,
        'counterpart': rig.double.what,
        'cable_pull_ms': distribution(rig.cable_pull_ms),
        'cpu_percent': rig.cpu_percent,
        'clauses': clauses,
    }
    return result, 1 if counts['failed'] else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `ros2 run vla_validation driver`."""
    parser = report.parser('driver', 'Test a robot driver against the driver contract.', EPILOG)
    parser.add_argument('--driver', required=True, help='driver by name')
    parser.add_argument('--robot', default='humanoid32', help='robot directory, by name or path')
    parser.add_argument('--config', default='', help='parameter driver_config of the driver')
    names = [clause.name for clause in CLAUSES]
    parser.add_argument(
        '--only', nargs='+', metavar='CLAUSE', default=[], choices=names, help='these clauses only'
    )
    parser.add_argument('--pulls', type=int, default=30, help='pulled cables (default 30)')
    parser.add_argument('--on-robot', action='store_true', help='test on the robot itself')
    options = parser.parse_args(arguments)
    return report.run('driver', lambda: contract(options), options.json)


if __name__ == '__main__':
    sys.exit(main())
