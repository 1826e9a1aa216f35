# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation host`: is this computer fit for a robot, and what to change."""

import os
import time
from pathlib import Path
from typing import Any

from vla_common.preflight_record import CheckReport, CheckState, summary
from vla_common.terminal import a_time, working
from vla_validation import report
from vla_validation.host import checks
from vla_validation.host.ping import round_trips
from vla_validation.system_harness.machine import SchedulingObserver, busy

PINGS = 50
EXAMPLES = """Each line: PASS, FAIL, or CHECK (a person decides), what was found, and what to do.
Exit status 0: nothing failed; 1: something did; 2: not measured.

examples:
  ros2 run vla_validation host
  ros2 run vla_validation host --address 192.168.123.161 --seconds 60 --json"""


def lateness(seconds: float, burners: int) -> dict[str, Any]:
    """How late a sleeping process of the highest priority runs, ms, beside so many that count."""
    with busy(burners), SchedulingObserver() as observer:
        time.sleep(seconds)
        return observer.summary()[0]


def examine(seconds: float, address: str, folder: Path, room: float) -> list[CheckReport]:
    """All checks. room: GB wanted in `folder`. Raises ConfigError."""
    with working() as show:
        show('reading')
        found = [check(Path('/')) for check in checks.STATIC]
        found.append(checks.disk(folder, room))
        show(f'timers, idle, {seconds:g} s')
        found.append(checks.timer('timer_idle', lateness(seconds, 0)))
        show(f'timers, loaded, {seconds:g} s')
        load = lateness(seconds, len(os.sched_getaffinity(0)))
        found.append(checks.timer('timer_loaded', load))
        if address:
            show(f'round trips to {address}')
            found.append(checks.round_trip(address, round_trips(address, PINGS), PINGS))
    return found


def lines(found: list[CheckReport]) -> list[str]:
    """One line for each check; what did not pass has its remedy."""
    width = max(len(check.name) for check in found)
    return [
        f'{check.result:5}  {check.name:{width}}  {check.evidence}'
        + (f' → {check.remedy}' if check.remedy and check.result is not CheckState.PASS else '')
        for check in found
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = report.parser('host', 'What this computer grants to a robot.', EXAMPLES)
    parser.add_argument('--address', default='', help="the robot's computer, for round trips")
    parser.add_argument(
        '--seconds', type=a_time, default=10.0, help='duration of each timer check (default 10)'
    )
    parser.add_argument(
        '--directory', default='~/vla_sessions', help='of recordings (default ~/vla_sessions)'
    )
    parser.add_argument(
        '--room', type=a_time, default=5.0, metavar='GB', help='wanted there (default 5)'
    )
    options = parser.parse_args(arguments)

    def work() -> tuple[dict[str, Any], int]:
        folder = Path(options.directory).expanduser().absolute()
        found = examine(options.seconds, options.address, folder, options.room)
        # What a person decides (a clock nobody compares with) does not make a computer unfit.
        fit = all(check.result is not CheckState.FAIL for check in found)
        result = {**summary(found), 'passed': fit, 'machine': report.machine()}
        if not options.json:
            print('\n'.join([*lines(found), result['machine']]))
        return result, 0 if result['passed'] else 1

    return report.run('host', work, options.json)
