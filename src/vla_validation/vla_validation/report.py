# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the commands share: options, the result as one JSON line, tables, errors in one line."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vla_common import terminal
from vla_common.errors import ConfigError
from vla_policy.types import PolicyError


class NotMeasuredError(RuntimeError):
    """A measurement was not possible; the text has the reason."""


def parser(verb: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Argument parser of `ros2 run vla_validation VERB`, with --json."""
    made = terminal.parser(f'vla_validation {verb}', description, epilog)
    made.add_argument('--json', action='store_true', help='one JSON object as the last line')
    return made


def add_launch_arguments(made: argparse.ArgumentParser) -> None:
    """Launch arguments after the options; `launch_arguments` reads them."""
    made.add_argument(
        'launch', nargs='*', metavar='NAME:=VALUE', help='launch arguments: your robot, your files'
    )


def launch_arguments(options: argparse.Namespace) -> dict[str, str]:
    """The launch arguments by name. Raises ConfigError."""
    for text in options.launch:
        if ':=' not in text:
            raise ConfigError('command line', 'launch argument', text, 'NAME:=VALUE')
    return dict(text.split(':=', 1) for text in options.launch)


def run(
    name: str, work: Callable[[], tuple[dict[str, Any], int]], as_json: bool, failed: int = 2
) -> int:
    """Do a command's work and return its exit status.

    Args:
        name: of the command, for error messages.
        work: returns the result and the exit status. Ctrl-C and SIGTERM raise KeyboardInterrupt in
            it, so that its contexts take down what they launched.
        as_json: print the result (or the error) as one JSON object.
        failed: exit status where the work raises.
    """

    def interrupt(number: int, frame: object) -> None:
        # A second Ctrl-C (the terminal and `ros2 run` send one each) must not end the shutdown.
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        result, status = work()
    except (NotMeasuredError, ConfigError, PolicyError, ImportError, KeyboardInterrupt) as error:
        text = str(error) or 'interrupted'
        print(f'{name}: {text}', file=sys.stderr)
        result, status = {'error': text}, failed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if as_json:
        print(json.dumps(result))
    return status


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table with aligned columns; None is a dash."""
    cells = [list(columns)]
    cells += [['–' if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [' | '.join(map(str.ljust, row, widths)) for row in cells]
    lines.insert(1, '-|-'.join('-' * width for width in widths))
    return '\n'.join(f'|{"-" if i == 1 else " "}{line}{"-" if i == 1 else " "}|'
                     for i, line in enumerate(lines))  # fmt: skip


def number(value: float | None, digits: int = 0) -> str | None:
    """A number for a table's cell."""
    return None if value is None else f'{value:.{digits}f}'


def outside(values: dict[str, float | None], limits: dict[str, tuple[float, float]]) -> list[str]:
    """Which values are not within their (lowest, highest), in words; NaN and None never are."""
    failures = []
    for key, (lowest, highest) in limits.items():
        value = values[key]
        if value is None:
            failures.append(f'{key}: nothing was received')
        elif not value >= lowest:
            failures.append(f'{key}: {value:.2f}, wanted at least {lowest:g}')
        elif not value <= highest:
            failures.append(f'{key}: {value:.2f}, wanted at most {highest:g}')
    return failures


def machine() -> str:
    """Date, processor, cores and load, in one line."""
    model = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
        model = next((s.split(': ', 1)[1] for s in lines if s.startswith('model name')), model)
    except OSError:
        pass
    return (
        f'{datetime.date.today().isoformat()}, {model}, {os.cpu_count()} cores, '
        f'load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}'
    )
