# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Assertions on the output of processes and on their exit codes."""

import re
from collections.abc import Iterable
from typing import Any, Union

from .util import resolveProcesses

ExpectedOutput = Union[str, re.Pattern, Iterable[str | re.Pattern]]

_ANSI_ESCAPE = re.compile(r'\x1b\[[0-9;]*[A-Za-z]')


def assertExitCodes(
    proc_info, allowable_exit_codes=(0,), process=None, cmd_args=None, **options
) -> None:
    """Of all processes, or of those that resolveProcesses finds, which takes the options."""
    for found in resolveProcesses(proc_info, process=process, cmd_args=cmd_args, **options):
        info = proc_info[found]
        returncode = getattr(info, 'returncode', None)
        if returncode not in allowable_exit_codes:
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
    proc_output, expected_output, process, cmd_args=None, *, stream='stderr', **options
) -> None:
    """One of the processes that resolveProcesses finds has written the output."""
    found = resolveProcesses(proc_output, process=process, cmd_args=cmd_args, **options)
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
