# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Types of arguments and arguments that several verbs share."""

from __future__ import annotations

import argparse
import sys


def positive_int(text: str) -> int:
    """A whole number above zero."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"value must be a positive integer, not '{text}'")
    return value


def nonnegative_int(text: str) -> int:
    """A whole number, zero included."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"value must be a non-negative integer, not '{text}'")
    return value


def positive_float(text: str) -> float:
    """A finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f"value must be a positive number, not '{text}'")
    return value


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verbs that ask the ROS graph."""
    parser.add_argument(
        '--spin-time',
        type=float,
        default=None,
        help='seconds to wait for discovery (default: until the graph is stable, at most 1; '
        'for a named thing until it is found, at most 3)',
    )
    parser.add_argument(
        '-s', '--use-sim-time', action='store_true', help='enable ROS simulation time'
    )
    parser.add_argument(
        '--no-daemon', action='store_true', help='accepted; the stand-in has no daemon'
    )


def add_hidden_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """The `--include-hidden-<what>` flag, also taken before the verb."""
    parser.add_argument(
        f'--include-hidden-{what}',
        action='store_true',
        default=argparse.SUPPRESS,
        help=f'consider hidden {what} as well',
    )


def add_values_argument(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    """A positional YAML value, or `--stdin` in its place."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(name, nargs='?', default='{}', help=text)
    group.add_argument('--stdin', action='store_true', help='read the values from standard input')


def given_values(args: argparse.Namespace, name: str) -> str:
    """Return the YAML text that was given."""
    return sys.stdin.read() if args.stdin else getattr(args, name)
