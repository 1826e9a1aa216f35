# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a process has written, in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..util.proc_lookup import resolveProcesses


class SequentialTextChecker:
    """Each text must come after the one before."""

    def __init__(self, output: list[str]) -> None:
        self._text = ''.join(output)
        self._position = 0

    def assertInText(self, msg: str) -> None:
        found = self._text.find(msg, self._position)
        if found < 0:
            raise AssertionError(
                f"'{msg}' not found in sequence after previous match.  "
                f'The output near the last matched line:\n{self.get_nearby_lines()}'
            )
        self._position = found + len(msg)

    assertInStdout = assertInText

    def get_nearby_lines(self) -> str:
        """Two lines before and after the last match."""
        before = self._text[: self._position].splitlines(keepends=True)[-3:]
        after = self._text[self._position :].splitlines(keepends=True)[:3]
        return ''.join(before + after)


@contextmanager
def assertSequentialStdout(
    proc_output: Any, process: Any, cmd_args: Any = None
) -> Iterator[SequentialTextChecker]:
    """A checker of all that one process has written."""
    found = resolveProcesses(proc_output, process=process, cmd_args=cmd_args)[0]
    pieces = [io.text for io in proc_output[found]]
    yield SequentialTextChecker([b''.join(pieces).decode(errors='replace')])
