# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor report DIR`: what happened in a session, as one HTML file."""

from __future__ import annotations

import sys
from pathlib import Path

from vla_common import terminal
from vla_deploy.atomic_io import write_whole
from vla_monitor.report.html import html_of
from vla_monitor.report.load import load_session

FILE = 'report.html'
EPILOG = """The file opens in any browser, without a network. It is also made of a session whose
recorder was killed, as far as that goes; run recover first.

  ros2 run vla_monitor report ~/vla_sessions/2026-11-30_15-53-12
"""


def command(arguments: list[str] | None) -> int:
    """Write the report and print its path."""
    made = terminal.parser('vla_monitor report', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('session', type=Path, metavar='DIR', help='directory of a session')
    made.add_argument('--out', type=Path, help=f'file to write; default: {FILE} in DIR')
    options = made.parse_args(arguments)
    with terminal.working() as show:
        show('reading the session')
        out = write_report(options.session.expanduser(), options.out)
    print(out)
    return 0


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the report on a session; returns its path.

    Raises ConfigError: it is no session, or one of a newer version; OSError.
    """
    out = out or folder / FILE
    write_whole(out, html_of(load_session(folder)))
    return out


def main() -> None:
    sys.exit(terminal.guarded(command, None))
