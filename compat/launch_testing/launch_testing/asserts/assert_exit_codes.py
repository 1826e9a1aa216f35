# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How processes have ended."""

from collections.abc import Iterable
from typing import Any

from ..util.proc_lookup import resolveProcesses

EXIT_OK = 0
# As a shell reports them: a process ended by signal N itself has the return code -N.
EXIT_SIGINT = 130
EXIT_SIGQUIT = 131
EXIT_SIGKILL = 137
EXIT_SIGSEGV = 139


def assertExitCodes(
    proc_info: Any,
    allowable_exit_codes: Iterable[int] = (EXIT_OK,),
    process: Any = None,
    cmd_args: Any = None,
    *,
    strict_proc_matching: bool = True,
) -> None:
    """Of all processes, or of those that resolveProcesses gives for the arguments."""
    allowed = list(allowable_exit_codes)
    for code in allowed:
        if not isinstance(code, int):
            raise AssertionError(f'Provided exit code {code} is not an int')
    for found in resolveProcesses(
        proc_info, process=process, cmd_args=cmd_args, strict_proc_matching=strict_proc_matching
    ):
        info = proc_info[found]
        returncode = getattr(info, 'returncode', None)
        if returncode not in allowed:
            raise AssertionError(f'Proc {info.process_name} exited with code {returncode}')
