# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Shared by the commands: progress bars, argument types, errors as one line."""

import argparse
import contextlib
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vla_common.errors import ConfigError

console = Console(stderr=True)  # stdout belongs to results


def progress(unit: str, *, passing: bool = False) -> Progress:
    """A bar that counts `unit`, with elapsed and remaining time. passing: removed at the end."""
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
        console=console,
        transient=passing,
        disable=passing and not console.is_terminal,
    )


@contextlib.contextmanager
def working() -> Iterator[Callable[[str], None]]:
    """On a terminal, a line with the current work and its duration, removed at the end.

    Yields a function that changes the text. stdout (results) does not pass through it.
    """
    columns = SpinnerColumn(), TextColumn('{task.description}'), TimeElapsedColumn()
    plain = {'redirect_stdout': False, 'redirect_stderr': False}
    mute = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=mute, **plain) as bar:
        line = bar.add_task('reading', total=None)
        yield lambda text: bar.update(line, description=text)


def parser(name: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Argument parser of the command `name` (package and verb); its help keeps its line breaks."""
    return argparse.ArgumentParser(
        prog=f'ros2 run {name}',
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _bounded(name: str, kind: type, lo: float, hi: float, wanted: str) -> Callable[[str], Any]:
    """An argparse type: a finite number from `lo` to `hi`."""

    def read(text: str) -> Any:
        number = kind(text)
        if not (lo <= number <= hi and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f'found {text}, wanted {wanted}')
        return number

    read.__name__ = name  # argparse shows it for a text that is not a number
    return read


positive = _bounded('positive', int, 1, math.inf, 'at least 1')
not_negative = _bounded('not_negative', int, 0, math.inf, 'at least 0')
a_time = _bounded('a_time', float, 1e-3, math.inf, 'a number above 0')
at_least_zero = _bounded('at_least_zero', float, 0, math.inf, 'a number of at least 0')
a_cosine = _bounded('a_cosine', float, -1, 1, 'a number from -1 to 1')


def guarded(command: Callable[[list[str] | None], int], arguments: list[str] | None) -> int:
    """Run `command`; an invalid file or a full disk is one line and exit code 2, Ctrl-C is 130."""
    try:
        return command(arguments)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a file without permission
        if error.errno is None:
            raise
        # The error of a write names no file; it may be a temporary one.
        where = error.filename or f'writing (temporary files are in {tempfile.gettempdir()})'
        print(f'{where}: {error.strerror}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted; finished results are kept', file=sys.stderr)
        return 130
