# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a name, or a process action, to the processes on record."""

from collections.abc import Iterable
from typing import Any

from launch.actions import ExecuteLocal

NO_CMD_ARGS = object()


class NoMatchingProcessException(Exception):
    """Nothing is on record for the process that was asked for."""


def _label(process: ExecuteLocal) -> str:
    details = process.process_details
    if details is None:
        return f'{process.describe()} (not launched)'
    return ' '.join([details['name'], *details['cmd'][1:]])


def _has_arguments(process: ExecuteLocal, cmd_args: Any) -> bool:
    given = process.process_details['cmd'][1:]
    if cmd_args is None:
        return True
    if cmd_args is NO_CMD_ARGS:
        return not given
    return all(argument in given for argument in cmd_args)


def resolveProcesses(
    info_obj: Any,
    *,
    process: 'ExecuteLocal | str | None' = None,
    cmd_args: 'Iterable[str] | str | Any' = None,
    strict_proc_matching: bool = True,
) -> list[ExecuteLocal]:
    """The processes on record in `info_obj`: all, the given one, or those whose name contains
    a text and whose command has the arguments (with `strict_proc_matching` no more than one).
    """
    known = list(info_obj.processes())
    if process is None:
        if not known:
            raise NoMatchingProcessException('No data recorded for any process')
        return known
    if isinstance(process, ExecuteLocal):
        if process not in known:
            raise NoMatchingProcessException(f'No data recorded for proc {_label(process)}')
        return [process]
    if not isinstance(process, str):
        raise TypeError(
            f"proc argument must be 'ExecuteProcess' or 'str' not {type(process).__name__}"
        )
    wanted = [cmd_args] if isinstance(cmd_args, str) else cmd_args
    matches = [
        one
        for one in known
        if process in one.process_details['name'] and _has_arguments(one, wanted)
    ]
    procs = ', '.join(sorted(_label(one) for one in known))
    if not matches:
        raise NoMatchingProcessException(
            f"Did not find any processes matching name '{process}' and args '{cmd_args}'. "
            f'Procs: {procs}'
        )
    if strict_proc_matching and len(matches) > 1:
        raise Exception(
            f"Found multiple processes matching name '{process}' and cmd_args '{cmd_args}'. "
            f'Procs: {procs}'
        )
    return matches
