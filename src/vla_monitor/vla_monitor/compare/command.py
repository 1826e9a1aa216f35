# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor compare A B`: two sessions side by side, as one HTML file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vla_common import terminal
from vla_deploy.atomic_io import write_whole
from vla_monitor.compare.differences import (
    Group,
    as_dict,
    differences_of,
    instructions_of_one,
    most,
)
from vla_monitor.compare.plots import plots_of
from vla_monitor.compare.settings import different_settings, unknown_settings
from vla_monitor.diagnosis.diagnose import diagnose
from vla_monitor.diagnosis.rows import Result
from vla_monitor.report.facts import facts_of
from vla_monitor.report.load import SessionData, load_session
from vla_monitor.report.page import inline, rendered

EPILOG = """Settings that differ come first, then success and failure modes, latencies,
interventions, violations and stops, each with its interval and with what differs most on top. A
difference that the numbers are too small to tell is marked as such.

  ros2 run vla_monitor compare ~/vla_sessions/2026-11-30_15-53-12 ~/vla_sessions/2026-11-30_16-10-40
  ros2 run vla_monitor compare A B --json                          # without a file

Exit status: 0; 2 where one is no session."""
_SHOWN = 8


def command(arguments: list[str] | None) -> int:
    """Compare two sessions; write the page, or print JSON."""
    made = terminal.parser('vla_monitor compare', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('a', type=Path, metavar='A', help='directory of a session')
    made.add_argument('b', type=Path, metavar='B', help='directory of another one')
    made.add_argument(
        '--out', type=Path, metavar='FILE', help='file to write; default: compare_A_B.html beside A'
    )
    made.add_argument('--json', action='store_true', help='one JSON object; a file only with --out')
    options = made.parse_args(arguments)
    with terminal.working() as show:
        show('reading A')
        a = load_session(options.a.expanduser())
        show('reading B')
        b = load_session(options.b.expanduser())
        out = options.out
        if out is None and not options.json:
            names = (data.folder.resolve().name for data in (a, b))
            out = a.folder.resolve().parent / f'compare_{"_".join(names)}.html'
        if out is not None:
            show('drawing')
            write_whole(out, page_of(a, b))
    print(json.dumps(result_of(a, b)) if options.json else out)
    return 0


def result_of(a: SessionData, b: SessionData) -> dict[str, Any]:
    """The comparison for JSON."""
    return {
        'a': str(a.folder),
        'b': str(b.folder),
        'settings': [
            {'what': s.what, 'name': s.name, 'a': s.a, 'b': s.b} for s in different_settings(a, b)
        ],
        'not_compared': unknown_settings(a, b),
        'differences': [as_dict(one) for one in differences_of(a, b)],
        'symptoms': [
            {'symptom': symptom, 'cause': cause, 'a': in_a, 'b': in_b}
            for symptom, cause, in_a, in_b in _symptoms(a, b)
        ],
        'problems': {'a': a.problems, 'b': b.problems},
    }


def page_of(a: SessionData, b: SessionData) -> str:
    """The comparison as HTML."""
    differences = differences_of(a, b)
    top = most(differences)
    return rendered(
        'compare.html',
        sessions=[('A', a, facts_of(a)), ('B', b, facts_of(b))],
        settings=different_settings(a, b),
        not_compared=unknown_settings(a, b),
        top=top[:_SHOWN],
        told=len(top),
        groups=[
            (group, [one for one in differences if one.group is group]) for group in Group
        ],
        only_one=instructions_of_one(facts_of(a), facts_of(b)),
        symptoms=_symptoms(a, b),
        plots={name: inline(png, 'png') for name, png in plots_of(a, b).items()},
    )  # fmt: skip


def _symptoms(a: SessionData, b: SessionData) -> list[tuple[str, str, str, str]]:
    """(symptom, cause, result in A, in B) of the causes that one of both shows; those that only
    one shows first."""
    found = []
    for one, two in zip(diagnose(a), diagnose(b), strict=True):
        for first, second in zip(one.causes, two.causes, strict=True):
            if Result.SEEN in (first.result, second.result):
                results = first.result.value, second.result.value
                found.append((one.symptom.value, first.row.cause, *results))
    return sorted(found, key=lambda row: row[2] == row[3])


def main() -> None:
    sys.exit(terminal.guarded(command, None))
