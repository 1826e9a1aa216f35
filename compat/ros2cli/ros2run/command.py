# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run`: become an executable of a package."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from ros2cli.command import CommandExtension
from ros2cli.text import suggest
from ros2pkg.api import get_executable_paths, require_prefix


class RunCommand(CommandExtension):
    """Run a package specific executable."""

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        parser.add_argument(
            '--prefix', help="command to put before the executable, such as 'nice -n 5'"
        )
        parser.add_argument('package_name', help='name of the package')
        parser.add_argument('executable_name', help='name of the executable')
        parser.add_argument(
            'argv', nargs=argparse.REMAINDER, help='arguments passed to the executable'
        )

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> object:
        require_prefix(args.package_name)
        paths = get_executable_paths(args.package_name)
        found = [path for path in paths if os.path.basename(path) == args.executable_name]
        if not found:
            names = sorted({os.path.basename(path) for path in paths})
            return (
                f"No executable found: package '{args.package_name}' has no "
                f"'{args.executable_name}'{suggest(args.executable_name, names)} "
                f'(executables: {", ".join(names) or "none"})'
            )
        if len(found) > 1:
            return '\n- '.join(['Multiple executables found:', *found])
        command = [*shlex.split(args.prefix or ''), found[0], *args.argv]
        sys.stdout.flush()
        try:
            # Not a child process: signals, exit status and terminal are the executable's own.
            os.execvp(command[0], command)
        except OSError as error:
            return f'cannot run {shlex.join(command)}: {error}'
