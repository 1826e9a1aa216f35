# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 pkg` and `ros2 run`."""

import argparse
import os
import shlex
import sys

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_packages_with_prefixes,
)
from ros2cli.command import VerbCommand, arg, flag, suggest


def _package_names() -> list[str]:
    return sorted(get_packages_with_prefixes())


def _require_prefix(package_name: str) -> str:
    """Return the prefix of a package; RuntimeError if there is no such package."""
    try:
        return get_package_prefix(package_name)
    except (PackageNotFoundError, ValueError):
        raise RuntimeError(
            f"Package '{package_name}' not found{suggest(package_name, _package_names())}"
        ) from None


def _executable_paths(package_name: str) -> list[str]:
    """Return the executable files below `<prefix>/lib/<package>`."""
    base = os.path.join(_require_prefix(package_name), 'lib', package_name)
    paths = []
    for folder, folders, files in os.walk(base):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        candidates = (os.path.join(folder, name) for name in sorted(files))
        paths += [path for path in candidates if os.access(path, os.X_OK)]
    return paths


class PkgCommand(VerbCommand):
    """Various package related sub-commands."""

    NOT_HERE = ('create', 'xml')


@PkgCommand.verb(arg('package_name', nargs='?', help='name of the package (default: all)'))
def executables(args: argparse.Namespace) -> None:
    """Output a list of package specific executables."""
    for package in [args.package_name] if args.package_name else _package_names():
        for path in sorted(_executable_paths(package)):
            print(f'{package} {os.path.basename(path)}')


@PkgCommand.verb()
def list_(args: argparse.Namespace) -> None:
    """Output a list of available packages."""
    print(*_package_names(), sep='\n')


@PkgCommand.verb(
    arg('package_name', help='name of the package'),
    flag('--share', help='show the share directory'),
)
def prefix(args: argparse.Namespace) -> str | None:
    """Output the prefix path of a package."""
    try:
        path = _require_prefix(args.package_name)
    except RuntimeError as error:
        # The real verb's words first, for scripts that look for them.
        return f'Package not found: {error}'
    print(os.path.join(path, 'share', args.package_name) if args.share else path)
    return None


class RunCommand:
    """Run a package specific executable."""

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        add = parser.add_argument
        add('--prefix', help="command to put before the executable, such as 'nice -n 5'")
        add('package_name', help='name of the package')
        add('executable_name', help='name of the executable')
        add('argv', nargs=argparse.REMAINDER, help='arguments passed to the executable')

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> object:
        paths = _executable_paths(args.package_name)
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
