# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor diagnose DIR`: symptoms in a session, with evidence and what to do."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

from vla_common import terminal
from vla_monitor.diagnosis.diagnose import Diagnosis, diagnose
from vla_monitor.diagnosis.rows import CauseResult, Result
from vla_monitor.report.load import load_session

EPILOG = """High latency, jerky motion, a robot that does not respond, poor task success, a filter
that triggers often, stops: the causes of each that this session shows, with numbers and times, and
what to do. The same table is docs/troubleshooting.md.

  ros2 run vla_monitor diagnose ~/vla_sessions/2026-11-30_15-53-12
  ros2 run vla_monitor diagnose --all ~/vla_sessions/2026-11-30_15-53-12   # also what was not seen

Exit status: 0 nothing seen; 1 something seen; 2 no session."""


def command(arguments: list[str] | None) -> int:
    """Diagnose a session and print."""
    made = terminal.parser('vla_monitor diagnose', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('session', type=Path, metavar='DIR', help='directory of a session')
    made.add_argument('--all', action='store_true', help='list also the causes that were not seen')
    made.add_argument('--json', action='store_true', help='one JSON object')
    options = made.parse_args(arguments)
    with terminal.working() as show:
        show('reading the session')
        found = diagnose(load_session(options.session.expanduser()))
    seen = sum(diagnosis.result is Result.SEEN for diagnosis in found)
    if options.json:
        content = [diagnosis.as_dict() for diagnosis in found]
        print(json.dumps({'session': str(options.session), 'seen': seen, 'symptoms': content}))
    else:
        print('\n'.join(line for diagnosis in found for line in lines_of(diagnosis, options.all)))
    return int(seen > 0)


def lines_of(diagnosis: Diagnosis, everything: bool = False) -> list[str]:
    """A symptom for the operator, on lines of at most 100 characters."""
    lines = [f'{diagnosis.symptom.value}: {diagnosis.result.value}']
    for cause in diagnosis.causes:
        lines += _cause_lines(cause, everything)
    unknown = [c for c in diagnosis.causes if c.result is Result.NOT_KNOWN]
    if unknown and not everything:
        reasons = sorted({cause.reason for cause in unknown})
        lines += _wrapped(f'not known for {len(unknown)} causes: {"; ".join(reasons)}', '  ')
    return lines


def _cause_lines(cause: CauseResult, everything: bool) -> list[str]:
    row = cause.row
    if cause.result is not Result.SEEN:
        if not everything:
            return []
        why = f' ({cause.reason})' if cause.reason else ''
        return _wrapped(f'{row.cause}: {cause.result.value}{why}', '  ')
    lines = _wrapped(f'{row.cause}', '  ')
    for evidence in cause.evidence:
        at = f'{evidence.t:.2f} s  ' if evidence.t is not None else ''
        lines += _wrapped(f'{evidence.level.name}  {at}{evidence.text}', '    ')
    return [*lines, *_wrapped(f'→ {row.plain_remedy}', '    ')]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, 100, initial_indent=indent, subsequent_indent=indent + '  ', break_on_hyphens=False
    )


def main() -> None:
    sys.exit(terminal.guarded(command, None))
