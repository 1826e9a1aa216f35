# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Finding processes, and keeping a launch alive."""

import sys

from launch.actions import ExecuteLocal, ExecuteProcess

_SLEEP = 'import signal; signal.signal(signal.SIGINT, lambda *_: exit(0)); signal.pause()'


def KeepAliveProc() -> ExecuteProcess:
    """A process that does nothing until the launch shuts down, and then ends with 0."""
    return ExecuteProcess(cmd=[sys.executable, '-c', _SLEEP])


class NoMatchingProcessException(Exception):
    """Nothing is on record for the process."""


def resolveProcesses(
    info_obj, *, process=None, cmd_args=None, strict_proc_matching=True
) -> list[ExecuteLocal]:
    """The processes on record in `info_obj`: all, the given one, or those whose name contains
    a text and whose command has the arguments (with `strict_proc_matching` no more than one).
    """
    known = list(info_obj.processes())
    labels = ', '.join(sorted(' '.join([one.name, *_arguments(one)]) for one in known))
    if process is None:
        matches = known
    elif isinstance(process, ExecuteLocal):
        matches = [one for one in known if one is process]
    else:
        wanted = [cmd_args] if isinstance(cmd_args, str) else cmd_args or ()
        matches = [
            one for one in known if process in one.name and set(wanted) <= set(_arguments(one))
        ]
        if strict_proc_matching and len(matches) > 1:
            raise Exception(
                f"Found multiple processes matching name '{process}' and cmd_args '{cmd_args}'. "
                f'Procs: {labels}'
            )
    if not matches:
        raise NoMatchingProcessException(
            f"Did not find any processes matching '{process}' and args '{cmd_args}'. "
            f'Procs: {labels}'
        )
    return matches


def _arguments(process: ExecuteLocal) -> list[str]:
    return process.process_details['cmd'][1:]
