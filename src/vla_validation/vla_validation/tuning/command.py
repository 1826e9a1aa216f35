# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_robot tune DIR`: servo and balance gains for a robot, searched in simulation."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vla_balance.gains import BalanceGains
from vla_common import terminal
from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_whole
from vla_robot import RobotModel, ServoGains, load_robot
from vla_validation import report
from vla_validation.tuning.robot_file import Values, replaced
from vla_validation.tuning.search import search
from vla_validation.tuning.servo_gains import armature, scaled_balance, servo_gains
from vla_validation.tuning.trials import Gains, Trial, try_gains

REFERENCE = 'humanoid32'
"""Robot whose balance gains are scaled to another one's size."""


def servo_classes(robot: RobotModel) -> dict[str, np.ndarray]:
    """Joints of each servo class of robot.yaml that has some."""
    classes = {}
    for name, section in load_yaml(robot.directory / 'robot.yaml')['servos'].items():
        members: list[int] = []
        for member in section['joints']:
            group = robot.groups.get(member)
            members += [robot.index[member]] if group is None else group.tolist()
        if members:
            classes[name] = np.array(members, dtype=int)
    return classes


def has_balance(robot: RobotModel) -> bool:
    """Whether robot.yaml has balance gains."""
    return 'balance' in load_yaml(robot.directory / 'robot.yaml')


def given_gains(robot: RobotModel) -> Gains:
    """The gains in robot.yaml; without `balance`, those of the reference robot as they are."""
    balance = None
    if robot.foot_boxes:
        balance = BalanceGains.load(robot if has_balance(robot) else load_robot(REFERENCE))
    return Gains(robot.servo, robot.simulation.armature, balance)


def derived_gains(
    robot: RobotModel, classes: dict[str, np.ndarray], given: Gains
) -> list[tuple[Gains, bool]]:
    """Other candidates: servos by bandwidth, balance by the robot's size; and whether they change
    the upper body."""
    filled = dataclasses.replace(given, armature=armature(robot, classes))
    servo = servo_gains(robot, classes)
    whole = dataclasses.replace(filled, servo=servo)
    if given.balance is None:
        return [(whole, True)]
    kp, kv = given.servo.kp.copy(), given.servo.kv.copy()
    legs = set(robot.groups['legs'].tolist())
    for members in classes.values():
        if legs & set(members.tolist()):
            kp[members], kv[members] = servo.kp[members], servo.kv[members]
    below = dataclasses.replace(filled, servo=ServoGains(kp, kv))
    reference = load_robot(REFERENCE)
    balance = scaled_balance(BalanceGains.load(reference), reference, robot)
    return [
        (below, False),
        (dataclasses.replace(filled, balance=balance), False),
        (dataclasses.replace(below, balance=balance), False),
        (whole, True),
        (dataclasses.replace(whole, balance=balance), True),
    ]


def changes(robot: RobotModel, classes: dict[str, np.ndarray], given: Gains, best: Gains) -> Values:
    """The values of robot.yaml that differ."""
    values: dict[tuple[str, ...], Any] = {}
    for name, members in classes.items():
        i = members[0]
        for key in ('kp', 'kv'):
            before, after = getattr(given.servo, key)[i], getattr(best.servo, key)[i]
            if before != after:
                values['servos', name, key] = float(after)
        if given.armature[i] != best.armature[i]:
            values['simulation', 'armature', name] = float(best.armature[i])
    if best.balance is not None:
        own = dataclasses.asdict(given.balance) if has_balance(robot) else {}
        for key, value in dataclasses.asdict(best.balance).items():
            if own.get(key) != value:
                values['balance', key] = value
    return values


def table(before: Trial, after: Trial) -> str:
    """As Markdown."""
    rows = [
        ('largest error on the way to the ready pose, rad', 'error', 3),
        ('stands for, s', 'stood', 2),
        ('leans after that, rad', 'lean', 3),
        ('to rest after a gentle push, s', 'settle', 2),
        ('withstands a push from every side, N·s', 'push', 1),
    ]
    cells = [
        [text, *(report.number(getattr(trial, key), digits) for trial in (before, after))]
        for text, key, digits in rows
        if (getattr(before, key), getattr(after, key)) != (None, None)
    ]
    return report.table(('', 'before', 'after'), cells)


def main(argv: list[str] | None = None) -> int:
    """Entry point `tune` of the group `vla.robot_commands`."""
    parser = terminal.parser(
        'vla_robot tune',
        'Find servo and balance gains for a robot directory in simulation, and write them.\n\n'
        'Servos: from bandwidth, damping ratio and joint inertia, within the effort limits; an\n'
        'armature of 0 is estimated. Balance: the gains of humanoid32 scaled to the robot. Then a\n'
        'search of both, with pushes from every side. Only what is better is written; comments\n'
        'in robot.yaml stay. Real drives differ: begin there with lower gains.',
        'exit status: 0 the robot stands (without feet: holds its poses); 1 it does not;\n'
        '2 not tried. Ctrl-C changes nothing.\n\n'
        'examples:\n  ros2 run vla_robot tune ./my_robot\n'
        '  ros2 run vla_robot tune ./my_robot --dry-run --steps 0',
    )
    parser.add_argument('robot', metavar='DIR', help='robot directory, or a name')
    parser.add_argument(
        '--steps', type=terminal.not_negative, default=24, help='trials of the search (default 24)'
    )
    parser.add_argument('--dry-run', action='store_true', help='print the gains, write nothing')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    options = parser.parse_args(argv)
    return report.run('tune', lambda: _run(options), options.json)


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    directory = Path(options.robot)
    robot = load_robot(directory.resolve() if directory.is_dir() else options.robot)
    file = (robot.directory / 'robot.yaml').resolve()
    if not options.dry_run and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        raise ConfigError(file, '', 'no permission to write', 'a copy of the robot, or --dry-run')
    replaced(_text_of(file), {}, file)  # before minutes of work
    classes, given = servo_classes(robot), given_gains(robot)
    try:
        best, before, after = _tune(robot, classes, given, options.steps)
    except KeyboardInterrupt:
        raise report.NotMeasuredError(f'interrupted; {file} is unchanged') from None
    values = changes(robot, classes, given, best) if after.usable else {}
    out = sys.stderr if options.json else sys.stdout
    print(table(before, after), file=out)
    changed = {'.'.join(path): value for path, value in values.items()}
    for key, value in changed.items():
        print(f'{key}: {value}', file=out)
    written = bool(values) and not options.dry_run
    if written:
        write_whole(file, replaced(_text_of(file), values, file))
    why = '--dry-run' if values else 'nothing better was found'
    print(f'written to {file}' if written else f'{file} is unchanged: {why}', file=out)
    result = {
        'robot': robot.name,
        'before': dataclasses.asdict(before),
        'after': dataclasses.asdict(after),
        'changed': changed,
        'written': str(file) if written else '',
    }
    return result, 0 if after.usable else 1


def _text_of(file: Path) -> str:
    with file.open(encoding='utf-8', newline='') as stream:  # the file keeps its line ends
        return stream.read()


def _tune(
    robot: RobotModel, classes: dict[str, np.ndarray], given: Gains, steps: int
) -> tuple[Gains, Trial, Trial]:
    """The best gains, and the trials before and after."""
    candidates = derived_gains(robot, classes, given)
    with terminal.progress('trials', passing=True) as bar:
        task = bar.add_task('tuning', total=1 + len(candidates) + steps)

        def done(best: Trial) -> None:
            reached = 'does not stand' if not best.usable else 'holds its poses'
            if best.push is not None and best.usable:
                reached = f'withstands {best.push:.0f} N·s'
            bar.update(task, advance=1, description=reached)

        before = try_gains(robot, given)
        done(before)
        best, after = search(robot, classes, (given, before), candidates, steps, done)
    return best, before, after
