# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor recover DIR`: finish the files of a session whose recorder was killed."""

from __future__ import annotations

import sys
from pathlib import Path

from vla_common import terminal
from vla_monitor.recording.recover import recover

EPILOG = """Everything is kept but the chunk that was open, at most one second. A finished session
is not changed. Exit status: 0, 1 where something could not be read, 2 where it is no session.

  ros2 run vla_monitor recover ~/vla_sessions/2026-11-30_15-53-12
"""


def command(arguments: list[str] | None) -> int:
    """Recover the sessions given; print a line for each."""
    made = terminal.parser('vla_monitor recover', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('session', nargs='+', type=Path, metavar='DIR', help='directory of a session')
    status = 0
    for folder in made.parse_args(arguments).session:
        done = recover(folder.expanduser())
        if done.nothing_to_do:
            print(f'{folder}: complete, nothing to do')
        elif done.files:
            names = ', '.join(done.files)
            print(f'{folder}: finished {names}: {done.messages} messages, {done.cut} bytes cut off')
        else:
            print(f'{folder}: wrote {", ".join(done.rewritten)}')
        for problem in done.problems:
            print(f'{folder}: {problem}', file=sys.stderr)
            status = 1
    return status


def main() -> None:
    sys.exit(terminal.guarded(command, None))
