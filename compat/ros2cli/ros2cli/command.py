# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Commands that consist of verbs, and the arguments that verbs share."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable
from typing import ClassVar


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` with the nearest names, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f'; did you mean {" or ".join(repr(word) for word in near)}?' if near else ''


def first_doc_line(thing: object) -> str:
    """Return the first line of a docstring without its full stop."""
    return ((thing.__doc__ or '').strip().splitlines() or [''])[0].strip().rstrip('.')


def arg(*names: str, **options: object) -> Callable[[argparse.ArgumentParser], object]:
    """An argument of a verb, as argparse takes it."""
    return lambda parser: parser.add_argument(*names, **options)


def flag(*names: str, help: str, **options: object) -> Callable:
    return arg(*names, action='store_true', help=help, **options)


def one_of(*arguments: Callable) -> Callable:
    """Arguments of which at most one may be given."""

    def add(parser: argparse.ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group()
        for add_one in arguments:
            add_one(group)

    return add


def hidden(what: str) -> Callable:
    """The `--include-hidden-<what>` flag, also taken before the verb."""
    return flag(
        f'--include-hidden-{what}',
        dest='include_hidden',
        default=argparse.SUPPRESS,
        help=f'consider hidden {what} as well',
    )


def values(name: str, example: str) -> Callable:
    """A positional YAML value, or `--stdin` in its place; read it with `given_values`."""
    return one_of(
        arg(name, nargs='?', default='{}', help=f"YAML, such as '{example}' (default: {{}})"),
        flag('--stdin', help='read the values from standard input'),
    )


def given_values(args: argparse.Namespace, name: str) -> str:
    """Return the YAML text that was given."""
    return sys.stdin.read() if args.stdin else getattr(args, name)


def _number(kind: Callable, accepts: Callable[[object], bool], text: str) -> Callable:
    def convert(word: str) -> object:
        try:
            value = kind(word)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            raise argparse.ArgumentTypeError(f"value must be a {text}, not '{word}'")
        return value

    return convert


positive_int = _number(int, lambda value: value > 0, 'positive integer')
nonnegative_int = _number(int, lambda value: value >= 0, 'non-negative integer')
positive_float = _number(float, lambda value: 0.0 < value < float('inf'), 'positive number')

#: Arguments of the verbs that query the ROS graph.
NODE = (
    arg(
        '--spin-time',
        type=float,
        help='seconds to wait for discovery (default: until the graph is stable, at most 1; '
        'for a named thing until it is found, at most 3)',
    ),
    flag('-s', '--use-sim-time', help='enable ROS simulation time'),
    flag('--no-daemon', help='accepted; the stand-in has no daemon'),
)


class VerbCommand:
    """A command made of verbs; its subclasses are entry points of the group `ros2cli.command`.

    A verb is a function of the parsed arguments, registered by `verb`; it returns what
    `sys.exit` takes. Its name is the function's, its help the first line of the docstring.
    """

    #: The verbs of the real command that the stand-in leaves out.
    NOT_HERE: tuple[str, ...] = ()
    #: The things that `--include-hidden-<things>` before the verb applies to.
    HIDDEN: str | None = None
    _verbs: ClassVar[dict[str, tuple[Callable, tuple]]]

    def __init_subclass__(cls) -> None:
        cls._verbs = {}

    @classmethod
    def verb(cls, *arguments: Callable) -> Callable:
        def register(function: Callable) -> Callable:
            cls._verbs[function.__name__.strip('_')] = (function, arguments)
            return function

        return register

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        self._parser = parser
        parser.set_defaults(include_hidden=False)
        if self.HIDDEN is not None:
            hidden(self.HIDDEN)(parser)
        subparsers = parser.add_subparsers(
            title='Commands',
            metavar=f'Call `{cli_name} <command> -h` for more detailed usage.',
        )
        for name, (function, arguments) in sorted(self._verbs.items()):
            line = first_doc_line(function)
            verb_parser = subparsers.add_parser(name, help=line, description=line)
            for add in arguments:
                add(verb_parser)
            verb_parser.set_defaults(_verb=function)
        original_error = parser.error

        def error(message: str) -> None:
            _, found, rest = message.partition("invalid choice: '")
            word = rest.split("'")[0]
            if word in self.NOT_HERE:
                message = (
                    f"'{cli_name} {word}' is not part of the stand-in in compat/; "
                    'install the real package'
                )
            elif found:
                message = (
                    f"'{cli_name} {word}' does not exist{suggest(word, self._verbs)} "
                    f'(verbs here: {", ".join(sorted(self._verbs))})'
                )
            original_error(message)

        parser.error = error

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> object:
        """Run the chosen verb, or print the help if there is none."""
        if not hasattr(args, '_verb'):
            self._parser.print_help()
            return 0
        return args._verb(args)
