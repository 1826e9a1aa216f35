# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation faults``: break everything, once, in simulation, and see what follows.

It brings up the robot of your own launch arguments (and parameter file) in a ROS domain of its own,
with a relay in the middle of every topic, and takes it down again.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import pathlib
import signal
import sys
import tempfile
from dataclasses import asdict

from vla_validation.faults.campaign import Campaign
from vla_validation.faults.catalogue import FAULTS
from vla_validation.faults.fault import Fault, FaultOutcome
from vla_validation.system_harness.metrics import machine
from vla_validation.system_harness.progress import Progress
from vla_validation.system_harness.robot import HarnessError, own_domain


def chosen(only: list[str], short: bool) -> list[Fault]:
    """The faults whose names match one of the patterns."""
    return [
        fault
        for fault in FAULTS
        if (not only or any(fnmatch.fnmatch(fault.name, pattern) for pattern in only))
        and (fault.short or not short)
    ]


def line(outcome: FaultOutcome) -> str:
    """One row of the table, for a terminal."""

    def ms(value: float | None) -> str:
        return '–' if value is None else f'{value:.0f}'

    end = 'fell' if outcome.fell else 'sank' if outcome.sank else 'stands'
    again = ''.join(f' (before: {why})' for why in outcome.before)
    text = (
        f'{"ok  " if outcome.ok else "FAIL"} {outcome.name:<36} {outcome.observed:<11} '
        f'{outcome.behaviour:<6} {ms(outcome.detection_ms):>6} {ms(outcome.rest_ms):>7} '
        f'{outcome.worst_excess_rad:>7.3f}  {end:<6}{again}'
    )
    return text if outcome.ok else f'{text}  expected {outcome.expected}; {outcome.note}'


HEADER = (
    f'{"":4} {"fault":<36} {"mode":<11} {"does":<6} {"det ms":>6} {"rest ms":>7} {"excess":>7}  end'
)


def markdown(outcomes: list[FaultOutcome]) -> str:
    """The table as the README carries it."""
    rows = [
        '| fault | expected | observed | behaviour | detection ms | rest ms | excess rad | end |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for o in outcomes:
        detection = '–' if o.detection_ms is None else f'{o.detection_ms:.0f}'
        rest = '–' if o.rest_ms is None else f'{o.rest_ms:.0f}'
        end = 'fell' if o.fell else 'sank, damped' if o.sank else 'stands'
        observed = o.observed if o.ok else f'**{o.observed}**: {o.note}'
        observed += ''.join(f' (before: {why})' for why in o.before)
        rows.append(
            f'| {o.name} | {o.expected} | {observed} | {o.behaviour.lower()} | {detection} '
            f'| {rest} | {o.worst_excess_rad:.3f} | {end} |'
        )
    return '\n'.join(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='faults',
        description='Break everything, once, in simulation, and see what follows. Exit status 0: '
        'every fault ended as expected; 1: one did not; 2: the drill could not be carried out.',
        epilog=__doc__.split('\n\n', 1)[1],
    )
    parser.add_argument(
        '--only',
        action='append',
        default=[],
        metavar='PATTERN',
        help='faults by name, with * and ?; may be given several times (see --list)',
    )
    parser.add_argument(
        '--tries', type=int, default=2, help='of a fault until it ends as expected (default 2)'
    )
    parser.add_argument(
        '--short',
        action='store_true',
        help='the few of them that CI runs, and 3 s at most for rest',
    )
    parser.add_argument('--list', action='store_true', help='names and expectations, and no drill')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    parser.add_argument('--markdown', type=pathlib.Path, metavar='FILE', help='write the table')
    parser.add_argument(
        'launch', nargs='*', metavar='NAME:=VALUE', help='launch arguments: your robot, your files'
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Drill and exit."""
    options = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    faults = chosen(options.only, options.short)
    if options.list:
        for fault in faults:
            print(f'{fault.name:<40} {" or ".join(fault.expected)}')
        return
    if not faults:
        print(f'drill: no fault is called {", ".join(options.only)}; see --list', file=sys.stderr)
        sys.exit(2)
    arguments = dict(text.split(':=', 1) for text in options.launch)
    log = pathlib.Path(tempfile.mkdtemp(prefix='drill_')) / 'launch.log'
    progress = Progress(len(faults))
    campaign = Campaign(arguments, log, options.tries, 3.0 if options.short else 15.0)
    # A robot that is up must not outlive the command, however that is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    domain = own_domain()
    outcomes: list[FaultOutcome] = []
    error = ''
    out = sys.stderr if options.json else sys.stdout
    print(HEADER, file=out)
    try:
        for outcome in campaign.run(faults, progress.step):
            outcomes.append(outcome)
            progress.end()
            print(line(outcome), file=out, flush=True)
    except (HarnessError, KeyboardInterrupt) as stopped:
        error = str(stopped) or 'interrupted'
        print(f'drill: {error}\nlog: {log}', file=sys.stderr)
    finally:
        progress.end()
        domain.__exit__(None, None, None)
    wrong = [outcome for outcome in outcomes if not outcome.ok]
    summary = f'{len(outcomes)} faults, {len(wrong)} not as expected; {machine()}'
    print(summary, file=out)
    if wrong:
        print(f'log: {log}', file=out)
    if options.markdown:
        options.markdown.write_text(f'{summary}\n\n{markdown(outcomes)}\n', encoding='utf-8')
    if options.json:
        told: dict = {'faults': [asdict(outcome) for outcome in outcomes]}
        if error:
            told['error'] = error
        print(json.dumps(told))
    sys.exit(2 if error else 1 if wrong else 0)


if __name__ == '__main__':
    main()
