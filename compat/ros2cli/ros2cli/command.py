# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a command of `ros2` is, and commands that consist of verbs."""

from __future__ import annotations

import argparse
import importlib
from typing import ClassVar

from ros2cli.text import suggest


class CommandExtension:
    """A command; registered under the entry-point group `ros2cli.command`."""

    NAME: str | None = None
    EXTENSION_POINT_VERSION = '0.1'

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        """Add the command's arguments."""

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> object:
        """Run; returns what `sys.exit` takes."""
        raise NotImplementedError


class VerbCommand(CommandExtension):
    """A command made of verbs, each a module with `add_arguments(parser)` and `main(args)`.

    `VERBS` maps a verb to its one line of help; the module is imported when the verb is used.
    `NOT_HERE` names the verbs of the real command that the stand-in leaves out.
    """

    PACKAGE: str
    VERBS: ClassVar[dict[str, str]]
    NOT_HERE: tuple[str, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        """Add a subparser for every verb."""
        self._parser = parser
        subparsers = parser.add_subparsers(
            title='Commands',
            metavar=f'Call `{cli_name} <command> -h` for more detailed usage.',
            parser_class=_VerbParser,
        )
        for verb, line in self.VERBS.items():
            verb_parser = subparsers.add_parser(
                verb, help=line, description=f'{line[:1].upper()}{line[1:]}'
            )
            verb_parser.prepare(f'{self.PACKAGE}.verb.{verb}')
        original_error = parser.error

        def error(message: str) -> None:
            word = _invalid_choice(message)
            if word in self.NOT_HERE:
                original_error(
                    f"'{cli_name} {word}' is not part of the stand-in in compat/; "
                    'install the real package'
                )
            if word is not None:
                original_error(
                    f"'{cli_name} {word}' does not exist{suggest(word, self.VERBS)}"
                    f' (verbs here: {", ".join(self.VERBS)})'
                )
            original_error(message)

        parser.error = error

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> object:
        """Run the chosen verb, or print the help if there is none."""
        run = getattr(args, '_verb', None)
        if run is None:
            self._parser.print_help()
            return 0
        return run(args)


def _invalid_choice(message: str) -> str | None:
    """Return the word that argparse refused, or None if the error is another one."""
    _, found, rest = message.partition('invalid choice: ')
    return rest.split("'")[1] if found and rest.startswith("'") else None


class _VerbParser(argparse.ArgumentParser):
    """Parser of one verb, whose module is imported when it parses."""

    def prepare(self, module: str) -> None:
        self._module: str | None = module

    def parse_known_args(self, args=None, namespace=None):
        if self._module is not None:
            verb = importlib.import_module(self._module)
            self._module = None
            verb.add_arguments(self)
            self.set_defaults(_verb=verb.main)
        return super().parse_known_args(args, namespace)
