# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor overview DIR…`: many sessions over time, as one HTML file."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vla_common import terminal
from vla_deploy.atomic_io import write_whole
from vla_monitor.overview.plots import plots_of
from vla_monitor.overview.sessions import Sessions, is_session, read_sessions
from vla_monitor.overview.totals import BY, Totals, p95_of, severe_of, totals_of
from vla_monitor.report.command import FILE, write_report
from vla_monitor.report.facts import SessionFacts
from vla_monitor.report.page import inline, rendered

PAGE = 'overview.html'
EPILOG = """Success and failure modes over time, hours of operation and hours without violation,
stops by cause, the slowest sessions, and a row for each session that links to its report. A DIR is
a session, or a folder of sessions. Bags are not read, so it is fast; --reports writes the reports
that are missing.

  ros2 run vla_monitor overview ~/vla_sessions
  ros2 run vla_monitor overview ~/vla_sessions --json                # without a file

Exit status: 0; 1 where a session could not be read; 2 where there is none."""


def command(arguments: list[str] | None) -> int:
    """Write the overview and print its path, or print JSON."""
    made = terminal.parser('vla_monitor overview', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('folders', nargs='+', type=Path, metavar='DIR', help='see below')
    made.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help=f'file to write; default: {PAGE} beside the first session',
    )
    made.add_argument('--reports', action='store_true', help='write the reports that are missing')
    made.add_argument('--json', action='store_true', help='one JSON object; a file only with --out')
    options = made.parse_args(arguments)
    folders = [folder.expanduser() for folder in options.folders]
    with terminal.working() as show:
        show('reading sessions')
        found = read_sessions(folders)
        for facts in found.facts if options.reports else ():
            if not (facts.folder / FILE).exists():
                show(f'report of {facts.name}')
                _report(facts, found)
        out = options.out
        if out is None and not options.json:
            out = (folders[0].parent if is_session(folders[0]) else folders[0]) / PAGE
        if out is not None:
            write_whole(out, page_of(found, out))
    for folder, why in found.unread:
        print(f'{folder}: {why}', file=sys.stderr)
    print(json.dumps(result_of(found)) if options.json else out)
    return int(bool(found.unread))


def _report(facts: SessionFacts, found: Sessions) -> None:
    """Write a report; a session that has none does not keep the others from theirs."""
    try:
        write_report(facts.folder)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        found.unread.append((facts.folder, f'no report: {error}'))


def result_of(found: Sessions) -> dict[str, Any]:
    """The overview for JSON."""
    totals = totals_of(found.facts)
    low, high = totals.success_ci95
    return {
        'sessions': totals.sessions,
        'hours': totals.hours,
        'running_hours': totals.running_hours,
        'instructions': totals.instructions,
        'successes': totals.successes,
        'success_rate': totals.successes / totals.instructions if totals.instructions else None,
        'success_ci95': [low, high],
        'failures': totals.failures,
        'violations': totals.violations,
        'violations_of_danger': totals.severe,
        'hours_without_violation': asdict(totals.without_violation),
        'hours_without_danger': asdict(totals.without_severe),
        'running_hours_per_violation': _between(totals, totals.violations),
        'running_hours_per_danger': _between(totals, totals.severe),
        'stops': [asdict(stop) for stop in totals.stops],
        'slowest': [{'session': facts.name, BY: p95_of(facts)} for facts in totals.slowest],
        'rows': [_row(facts) for facts in found.facts],
        'unread': [{'folder': str(folder), 'reason': why} for folder, why in found.unread],
    }


def _between(totals: Totals, count: int) -> dict[str, float | None]:
    mean, low, high = totals.hours_between(count)
    return {'mean': mean, 'low': low, 'high': high}


def _row(facts: SessionFacts) -> dict[str, Any]:
    return {
        'session': facts.name,
        'folder': str(facts.folder),
        'started': facts.started,
        'policies': list(facts.policies),
        'hours': facts.hours,
        'running_hours': facts.running_hours,
        'instructions': len(facts.instructions),
        'successes': facts.successes,
        'failures': dict(facts.failures),
        'stops': len(facts.stops),
        'violations': len(facts.violations),
        'violations_of_danger': len(severe_of(facts)),
        f'{BY}_p95': p95_of(facts),
        'problems': list(facts.problems),
    }


def page_of(found: Sessions, out: Path) -> str:
    """The overview as HTML. out: its file, which the links are relative to."""
    totals = totals_of(found.facts)
    return rendered(
        'overview.html',
        totals=totals,
        between=[
            (name, count, totals.hours_between(count), stretches)
            for name, count, stretches in (
                ('of any level', totals.violations, totals.without_violation),
                ('of DANGER or above', totals.severe, totals.without_severe),
            )
        ],
        plots=[(title, inline(png, 'png')) for title, png in plots_of(found.facts)],
        rows=[
            (facts, _link(facts, out), p95_of(facts), len(severe_of(facts)))
            for facts in reversed(found.facts)
        ],
        slowest=[(facts, p95_of(facts)) for facts in totals.slowest],
        unread=found.unread,
        hours=hours_text,
    )


def _link(facts: SessionFacts, out: Path) -> str:
    """Address of a session's report, relative to the page; empty where there is none."""
    report = facts.folder / FILE
    if not report.exists():
        return ''
    return quote(os.path.relpath(report, out.resolve().parent))


def hours_text(hours: float | None) -> str:
    """A time in h, min or s."""
    if hours is None:
        return '–'
    if hours >= 1.0:
        return f'{hours:.1f} h'
    return f'{60.0 * hours:.1f} min' if hours >= 1.0 / 60.0 else f'{3600.0 * hours:.1f} s'


def main() -> None:
    sys.exit(terminal.guarded(command, None))
