# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Assertions on the output of processes and on their exit codes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Union

from .util import resolveProcesses

ExpectedOutput = Union[str, re.Pattern, Iterable[str | re.Pattern]]

EXIT_OK = 0
# As a shell reports them: a process ended by signal N itself has the return code -N.
EXIT_SIGINT, EXIT_SIGQUIT, EXIT_SIGKILL, EXIT_SIGSEGV = 130, 131, 137, 139

_ANSI_ESCAPE = re.compile(r'\x1b\[[0-9;]*[A-Za-z]')


def assertExitCodes(
    proc_info,
    allowable_exit_codes=(EXIT_OK,),
    process=None,
    cmd_args=None,
    *,
    strict_proc_matching=True,
) -> None:
    """Of all processes, or of those that resolveProcesses finds."""
    allowed = list(allowable_exit_codes)
    for found in resolveProcesses(
        proc_info, process=process, cmd_args=cmd_args, strict_proc_matching=strict_proc_matching
    ):
        info = proc_info[found]
        returncode = getattr(info, 'returncode', None)
        if returncode not in allowed:
            raise AssertionError(f'Proc {info.process_name} exited with code {returncode}')


def _contains(text: str, expected: ExpectedOutput) -> bool:
    """A text, a pattern, or several of these one after another."""
    parts = [expected] if isinstance(expected, (str, re.Pattern)) else list(expected)
    position = 0
    for part in parts:
        pattern = re.compile(re.escape(part)) if isinstance(part, str) else part
        match = pattern.search(text, position)
        if match is None:
            return False
        position = match.end()
    return True


def assertInStream(
    proc_output,
    expected_output,
    process,
    cmd_args=None,
    *,
    strict_proc_matching=True,
    stream='stderr',
) -> None:
    """One of the processes that resolveProcesses finds has written the output."""
    found = resolveProcesses(
        proc_output, process=process, cmd_args=cmd_args, strict_proc_matching=strict_proc_matching
    )
    for one in found:
        pieces = [io.text for io in proc_output[one] if getattr(io, f'from_{stream}')]
        text = b''.join(pieces).decode(errors='replace').replace('\r\n', '\n')
        if _contains(_ANSI_ESCAPE.sub('', text), expected_output):
            return
    names = ', '.join(sorted(one.name for one in found))
    raise AssertionError(
        f"Did not find '{expected_output}' in output for any of the matching processes: {names}"
    )


def assertInStdout(*args: Any, **kwargs: Any) -> None:
    """assertInStream on stdout."""
    assertInStream(*args, stream='stdout', **kwargs)


def assertInStderr(*args: Any, **kwargs: Any) -> None:
    """assertInStream on stderr."""
    assertInStream(*args, stream='stderr', **kwargs)


class SequentialTextChecker:
    """Each text must come after the one before."""

    def __init__(self, text: str) -> None:
        self._rest = text

    def assertInStdout(self, msg: str) -> None:
        _, found, rest = self._rest.partition(msg)
        if not found:
            raise AssertionError(f"'{msg}' not found after the previous match in:\n{self._rest}")
        self._rest = rest


@contextmanager
def assertSequentialStdout(proc_output, process, cmd_args=None) -> Iterator[SequentialTextChecker]:
    """A checker of all that one process has written."""
    found = resolveProcesses(proc_output, process=process, cmd_args=cmd_args)[0]
    pieces = [io.text for io in proc_output[found]]
    yield SequentialTextChecker(b''.join(pieces).decode(errors='replace'))
