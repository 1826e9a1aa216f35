# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Commands that consist of verbs, and the arguments that verbs share."""

import argparse
import math
from collections.abc import Callable, Iterable
from typing import ClassVar


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` with the nearest names, or nothing."""
    import difflib  # here: `ros2 run` starts without it

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


def positive(kind: Callable) -> Callable:
    """The argparse type of positive numbers; `kind` is int or float."""

    def convert(word: str) -> object:
        try:
            value = kind(word)
        except ValueError:
            value = 0
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"value must be a positive number, not '{word}'")
        return value

    return convert


#: Arguments of the verbs that query the ROS graph.
NODE = (
    arg(
        '--spin-time',
        type=float,
        help='seconds to wait for discovery (default: until the graph is stable, at most 3)',
    ),
    flag('--no-daemon', help='accepted; the stand-in has no daemon'),
)


class VerbCommand:
    """A command made of verbs; its subclasses are entry points of the group `ros2cli.command`.

    A verb is a function of the parsed arguments, registered by `verb`; it returns what
    `sys.exit` takes. Its name is the function's, its help the first line of the docstring.
    """

    #: The verbs of the real command that the stand-in leaves out.
    NOT_HERE: tuple[str, ...] = ()
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
        subparsers = parser.add_subparsers(
            title='Commands', metavar=f'Call `{cli_name} <command> -h` for more detailed usage.'
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
