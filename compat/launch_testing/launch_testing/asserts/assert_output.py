# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What processes have written."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Union

from ..util.proc_lookup import resolveProcesses

ExpectedOutput = Union[str, re.Pattern, Iterable[Union[str, re.Pattern]]]

_ANSI_ESCAPE = re.compile(r'\x1b\[[0-9;]*[A-Za-z]')


def stream_text(proc_output: Any, process: Any, stream: str) -> str:
    """All that a process has written to a stream so far."""
    if stream not in ('stdout', 'stderr'):
        raise ValueError("Invalid value for stream; must be 'stdout' or 'stderr'")
    pieces = [io.text for io in proc_output[process] if getattr(io, f'from_{stream}')]
    return b''.join(pieces).decode(errors='replace').replace('\r\n', '\n')


def contains(text: str, expected: ExpectedOutput) -> bool:
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
    proc_output: Any,
    expected_output: ExpectedOutput,
    process: Any,
    cmd_args: Any = None,
    *,
    output_filter: 'Callable[[str], str] | None' = None,
    strict_proc_matching: bool = True,
    strip_ansi_escape_sequences: bool = True,
    stream: str = 'stderr',
) -> None:
    """One of the processes that resolveProcesses gives has written it."""
    if output_filter is not None and not callable(output_filter):
        raise ValueError('output_filter is not callable')
    found = resolveProcesses(
        proc_output, process=process, cmd_args=cmd_args, strict_proc_matching=strict_proc_matching
    )
    for one in found:
        text = stream_text(proc_output, one, stream)
        if strip_ansi_escape_sequences:
            text = _ANSI_ESCAPE.sub('', text)
        if output_filter is not None:
            text = output_filter(text)
        if contains(text, expected_output):
            return
    names = ', '.join(sorted(one.process_details['name'] for one in found))
    raise AssertionError(
        f"Did not find '{expected_output}' in output for any of the matching processes: {names}"
    )


def assertInStdout(
    proc_output: Any,
    expected_output: ExpectedOutput,
    process: Any,
    cmd_args: Any = None,
    **options: Any,
) -> None:
    """assertInStream on stdout."""
    assertInStream(proc_output, expected_output, process, cmd_args, stream='stdout', **options)


def assertInStderr(
    proc_output: Any,
    expected_output: ExpectedOutput,
    process: Any,
    cmd_args: Any = None,
    **options: Any,
) -> None:
    """assertInStream on stderr."""
    assertInStream(proc_output, expected_output, process, cmd_args, stream='stderr', **options)


def assertDefaultStream() -> str:
    return 'stderr'
