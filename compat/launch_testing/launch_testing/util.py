# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Finding processes."""

from launch.actions import ExecuteProcess


class NoMatchingProcessException(Exception):
    """Nothing is on record for the process."""


def resolveProcesses(
    info_obj, *, process=None, cmd_args=None, strict_proc_matching=True
) -> list[ExecuteProcess]:
    """The processes on record in `info_obj`: all, the given one, or those whose name contains
    a text and whose command has the arguments (with `strict_proc_matching` no more than one).
    """
    known = list(info_obj.processes())
    if process is None:
        matches = known
    elif isinstance(process, ExecuteProcess):
        matches = [one for one in known if one is process]
    else:
        wanted = {cmd_args} if isinstance(cmd_args, str) else set(cmd_args or ())
        matches = [one for one in known if process in one.name and wanted <= _arguments(one)]
    described = f"name '{process}' and cmd_args '{cmd_args}' (processes: "
    described += ', '.join(sorted(one.name for one in known)) + ')'
    if strict_proc_matching and isinstance(process, str) and len(matches) > 1:
        raise Exception(f'Found multiple processes matching {described}')
    if not matches:
        raise NoMatchingProcessException(f'Did not find any processes matching {described}')
    return matches


def _arguments(process: ExecuteProcess) -> set[str]:
    return set(process.process_details['cmd'][1:])
