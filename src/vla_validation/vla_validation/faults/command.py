# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation faults``: inject every fault once, in simulation, and assess what
follows."""

import argparse
import fnmatch
import pathlib
import sys
import tempfile
from dataclasses import asdict
from typing import Any

from vla_common.errors import ConfigError
from vla_common.terminal import progress
from vla_validation import report
from vla_validation.faults.campaign import Campaign
from vla_validation.faults.catalogue import FAULTS
from vla_validation.faults.fault import Fault, FaultOutcome
from vla_validation.system_harness.robot import HarnessError, own_domain


def chosen(only: list[str], short: bool) -> list[Fault]:
    """The faults whose names match one of the patterns."""
    return [
        fault
        for fault in FAULTS
        if (not only or any(fnmatch.fnmatch(fault.name, pattern) for pattern in only))
        and (fault.short or not short)
    ]


def _before(outcome: FaultOutcome) -> str:
    return ''.join(f' (before: {why})' for why in outcome.before)


def line(outcome: FaultOutcome) -> str:
    """An outcome in one line, for a terminal."""
    detection, rest = report.number(outcome.detection_ms), report.number(outcome.rest_ms)
    end = 'fell' if outcome.fell else 'sank' if outcome.sank else 'stands'
    text = (
        f'{"ok  " if outcome.ok else "FAIL"} {outcome.name:<36} {outcome.observed:<11} '
        f'{outcome.behaviour:<6} {detection or "–":>6} {rest or "–":>7} '
        f'{outcome.worst_excess_rad:>7.3f}  {end:<6}{_before(outcome)}'
    )
    return text if outcome.ok else f'{text}  expected {outcome.expected}; {outcome.note}'


HEADER = (
    f'{"":4} {"fault":<36} {"mode":<11} {"does":<6} {"det ms":>6} {"rest ms":>7} {"excess":>7}  end'
)


def markdown(outcomes: list[FaultOutcome]) -> str:
    """The outcomes as doc/faults.md carries them."""
    columns = ('fault', 'expected', 'observed', 'behaviour')
    return report.table(
        (*columns, 'detection ms', 'rest ms', 'excess rad', 'end'),
        [
            (
                o.name,
                o.expected,
                (o.observed if o.ok else f'**{o.observed}**: {o.note}') + _before(o),
                o.behaviour.lower(),
                report.number(o.detection_ms),
                report.number(o.rest_ms),
                report.number(o.worst_excess_rad, 3),
                'fell' if o.fell else 'sank, damped' if o.sank else 'stands',
            )
            for o in outcomes
        ],
    )


def _parser() -> argparse.ArgumentParser:
    parser = report.parser(
        'faults',
        'Inject every fault once, in simulation, and assess what follows.\n\n'
        'The robot of your own launch arguments (and parameter file) is launched in a ROS domain\n'
        'of its own, where needed with a relay between its nodes, and taken down again.',
        'Exit status 0: every fault ended as expected; 1: one did not; 2: not carried out.\n\n'
        'examples:\n  ros2 run vla_validation faults --short\n'
        "  ros2 run vla_validation faults --only 'killed:*' --only frozen_camera --json\n"
        '  ros2 run vla_validation faults robot:=my_robot params_file:=my.yaml',
    )
    parser.add_argument(
        '--only', action='append', default=[], metavar='PATTERN',
        help='faults by name, with * and ?; may be given several times (see --list)',
    )  # fmt: skip
    parser.add_argument(
        '--tries',
        type=int,
        default=2,
        help='tries of a fault until it ends as expected (default 2)',
    )
    parser.add_argument(
        '--short',
        action='store_true',
        help='only the faults that CI runs, with at most 3 s until rest',
    )
    parser.add_argument(
        '--list', action='store_true', help='print names and expectations, and inject nothing'
    )
    parser.add_argument(
        '--markdown', type=pathlib.Path, metavar='FILE', help='write the table to FILE'
    )
    report.add_launch_arguments(parser)
    return parser


def _campaign(options: argparse.Namespace, faults: list[Fault]) -> tuple[dict[str, Any], int]:
    if not faults:
        only = ', '.join(options.only)
        raise ConfigError('command line', '--only', only, 'a name or pattern of --list')
    log = pathlib.Path(tempfile.mkdtemp(prefix='fault_injection_')) / 'launch.log'
    rest_latest = 3.0 if options.short else 15.0
    campaign = Campaign(report.launch_arguments(options), log, options.tries, rest_latest)
    outcomes: list[FaultOutcome] = []
    error = ''
    out = sys.stderr if options.json else sys.stdout
    print(HEADER, file=out, flush=True)
    try:
        with own_domain(), progress('faults', passing=True) as bar:
            task = bar.add_task('', total=len(faults))
            for outcome in campaign.run(faults, lambda what: bar.update(task, description=what)):
                outcomes.append(outcome)
                bar.stop()
                print(line(outcome), file=out, flush=True)
                bar.advance(task)
                bar.start()
    except (HarnessError, KeyboardInterrupt) as stopped:
        error = str(stopped) or 'interrupted'
        print(f'faults: {error}', file=sys.stderr)
    wrong = [outcome for outcome in outcomes if not outcome.ok]
    summary = f'{len(outcomes)} faults, {len(wrong)} not as expected; {report.machine()}'
    print(summary, file=out)
    if wrong:
        print(f'log: {log}', file=sys.stderr)
    if options.markdown:
        options.markdown.write_text(f'{summary}\n\n{markdown(outcomes)}\n', encoding='utf-8')
    result: dict[str, Any] = {'faults': [asdict(outcome) for outcome in outcomes]}
    return result | ({'error': error} if error else {}), 2 if error else 1 if wrong else 0


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    faults = chosen(options.only, options.short)
    if options.list:
        for fault in faults:
            print(f'{fault.name:<40} {" or ".join(fault.expected)}')
        return 0
    return report.run('faults', lambda: _campaign(options, faults), options.json)
