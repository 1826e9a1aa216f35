# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_bringup preflight`: is this robot fit to move, with this bundle?"""

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vla_common import terminal
from vla_common.errors import ConfigError
from vla_common.preflight_record import (
    CheckReport,
    CheckState,
    Moment,
    PreflightRecord,
    record_file,
    summary,
)
from vla_common.terminal import a_time, working
from vla_validation import report
from vla_validation.host.command import lines
from vla_validation.preflight.catalogue import BY_NAME, CHECKS, NOT_RUNNING, Check, Needs
from vla_validation.preflight.observed import Observed
from vla_validation.preflight.offline import of_files
from vla_validation.preflight.subject import Subject, read_subject

EXAMPLES = """Give it the arguments of the launch; what is not running is named, with what to start.
PASS, FAIL, or CHECK: a person looks, and confirms by name. The record is what the supervisor asks
for where its parameter preflight is `required`; a change of bundle, robot directory or
configuration makes it worthless. What passed before with the same ones, and still counts, is kept
for the checks that need --exercise or a person.

--exercise presses the e-stop of the running robot and freezes its nodes one by one. The joints
become passive: suspend a biped. On a real robot it needs --by, the person at the hardware e-stop.

Exit status 0: passed; 1: not; 2: not checked.

examples:
  ros2 run vla_bringup preflight --offline robot:=humanoid32 policy:=humanoid_vla
  ros2 run vla_bringup preflight --exercise --json
  ros2 run vla_bringup preflight --confirm area_clear --by "Ada Lovelace\""""


def report_of(check: Check, state: CheckState, evidence: str, now: Moment) -> CheckReport:
    """The result of a check, to be recorded."""
    return CheckReport(check.name, state, evidence, check.remedy, check.valid_for, now)


def kept(previous: PreflightRecord | None, check: Check, now: Moment) -> CheckReport | None:
    """What a record of the same subject says of it, if it passed and still counts."""
    for old in previous.checks if previous is not None else ():
        if old.name == check.name and old.result is CheckState.PASS and old.at is not None:
            age, valid = now.since(old.at), min(old.valid_for, check.valid_for)
            return replace(old, valid_for=valid) if 0.0 <= age <= valid else None
    return None


def examine(
    subject: Subject,
    seen: Observed | None,
    previous: PreflightRecord | None,
    now: Callable[[], Moment] = Moment.now,
    show: Callable[[str], None] = lambda text: None,
    checks: Iterable[Check] = CHECKS,
) -> list[CheckReport]:
    """All checks. seen: None: offline, the checks of files only. previous: a record of the same
    digests."""
    found = []
    for check in checks:
        show(check.name)
        if check.needs is Needs.FILES:
            state, evidence = of_files(check.function, subject)
            old = kept(previous, check, now()) if state is CheckState.CHECK else None
        elif seen is None:
            continue
        elif check.needs is Needs.PERSON:
            state, evidence = CheckState.CHECK, 'not confirmed'
            if subject.simulated:
                state, evidence = CheckState.PASS, 'a simulated robot: nobody is near'
            old = None if subject.simulated else kept(previous, check, now())
        elif check.needs is Needs.EXERCISE and not seen.exercised:
            state, evidence = CheckState.FAIL, seen.absent or 'not exercised'
            old = kept(previous, check, now())
        elif seen.absent:
            state, evidence, old = CheckState.FAIL, seen.absent, None
        else:
            state, evidence = of_files(lambda s, c=check: c.function(s, seen), subject)
            old = kept(previous, check, now()) if state is CheckState.CHECK else None
        made = report_of(check, state, evidence, now())
        if seen is not None and seen.absent and state is CheckState.FAIL and old is None:
            made = made if check.needs is Needs.FILES else replace(made, remedy=NOT_RUNNING)
        found.append(old or made)
    return found


def confirm(
    record: PreflightRecord, name: str, person: str, at_terminal: bool, now: Moment
) -> PreflightRecord:
    """The record with a CHECK confirmed. Raises ConfigError: it is not one that a person may
    confirm."""
    found = next((check for check in record.checks if check.name == name), None)
    open_ones = [c.name for c in record.checks if c.result is CheckState.CHECK]
    wanted = f'a check with the result CHECK: {", ".join(open_ones) or "there is none"}'
    if found is None or name not in BY_NAME:
        raise ConfigError('preflight', '--confirm', name, wanted)
    confirmed = found.result is CheckState.PASS and bool(found.confirmed_by)
    if found.result is not CheckState.CHECK and not confirmed:
        raise ConfigError('preflight', '--confirm', f'{name}, which is {found.result}', wanted)
    how = '' if at_terminal else ', by a program: no terminal'
    before = found.evidence.partition(' (confirmed by ')[0]
    return record.with_check(
        replace(
            found,
            result=CheckState.PASS,
            evidence=f'{before} (confirmed by {person}{how})',
            at=now,
            confirmed_by=person,
        )
    )


def _person(text: str) -> str:
    name = ' '.join(text.split())
    if not 2 <= len(name) <= 80 or not name.isprintable():
        raise argparse.ArgumentTypeError('wanted the name of a person')
    return name


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = terminal.parser(
        'vla_bringup preflight', 'Check a robot before it may move, and record it.', EXAMPLES
    )
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    parser.add_argument('--offline', action='store_true', help='files and computer only; no record')
    parser.add_argument(
        '--exercise', action='store_true', help='press the e-stop, freeze nodes: passive joints'
    )
    parser.add_argument('--confirm', metavar='NAME', help='a CHECK that a person has looked at')
    parser.add_argument('--by', metavar='PERSON', type=_person, help='who: full name')
    parser.add_argument('--address', default='', help="the robot's computer, for round trips")
    parser.add_argument(
        '--seconds', type=a_time, default=5.0, help='of observation of the robot (default 5)'
    )
    parser.add_argument('--record', type=Path, help='file (default ~/.ros/preflight/ROBOT.json)')
    report.add_launch_arguments(parser)
    options = parser.parse_args(arguments)
    if options.confirm and not options.by:
        parser.error('--confirm needs --by PERSON')
    if options.offline and (options.exercise or options.confirm):
        parser.error('--offline cannot be combined with --exercise or --confirm')
    return options


def previous_record(path: Path, subject: Subject) -> PreflightRecord | None:
    """The record of the same subject that is there; None without one."""
    try:
        record = PreflightRecord.read(path)
    except ConfigError:
        return None
    return record if record.digests == subject.digests() else None


def _observed(options: argparse.Namespace, subject: Subject, show: Any) -> Observed:
    from vla_validation.preflight.graph import observe  # ROS: not for --offline

    if options.exercise and not subject.simulated and not options.by:
        wanted = '--by PERSON, who stands at the hardware e-stop'
        raise ConfigError('preflight', '--exercise', f'driver {subject.driver}', wanted)
    seen = observe(subject, options.seconds, options.exercise, show)
    if seen.mode == 'RUNNING':
        wanted = 'a robot at rest: end the instruction first'
        raise ConfigError('preflight', 'mode', 'RUNNING', wanted)
    return seen


def check_all(options: argparse.Namespace) -> tuple[list[CheckReport], Path | None]:
    """The checks, and where they are recorded. Raises ConfigError."""
    subject = read_subject(report.launch_arguments(options), options.address)
    path = options.record or record_file(subject.robot_name)
    with working() as show:
        previous = previous_record(path, subject)
        if options.confirm:
            if previous is None:
                found = f'no record of this robot, bundle and configuration in {path}'
                raise ConfigError('preflight', '--confirm', found, 'a preflight first')
            terminals = sys.stdin is not None and sys.stdin.isatty()
            record = confirm(previous, options.confirm, options.by, terminals, Moment.now())
            record.write(path)
            return list(record.checks), path
        seen = None if options.offline else _observed(options, subject, show)
        found = examine(subject, seen, previous, show=show)
        if options.offline:
            return found, None
        PreflightRecord(subject.robot_name, subject.digests(), tuple(found)).write(path)
        return found, path


def left(found: list[CheckReport], now: Moment) -> tuple[float, str]:
    """s until the first result expires, and of which check."""
    ends = [(c.valid_for - now.since(c.at), c.name) for c in found if c.at is not None]
    return min(ends, default=(math.nan, ''))


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)

    def work() -> tuple[dict[str, Any], int]:
        found, path = check_all(options)
        result = summary(found)
        seconds, first = left(found, Moment.now())
        if path is not None:
            result |= {'record': str(path), 'valid_for': round(seconds)}
        if not options.json:
            print('\n'.join(lines(found)))
            tail = f'recorded in {path}' if path else 'not recorded: --offline'
            if result['passed'] and path:
                tail += f'; counts for {seconds / 60:.0f} min (until {first} expires)'
            print(f'{"PASSED" if result["passed"] else "NOT PASSED"}; {tail}')
        return result, 0 if result['passed'] else 1

    return report.run('preflight', work, options.json)


if __name__ == '__main__':
    sys.exit(main())
