# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `ros2launch` (Jazzy): the command `ros2 launch`."""

import os
import sys

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import (
    PythonLaunchDescriptionSource,
    get_launch_description_from_python_launch_file,
)

import launch


def _find(package_name: str, file_name: 'str | None') -> str:
    """The one file of that name below the package's share directory, else RuntimeError."""
    try:
        share = get_package_share_directory(package_name)
    except PackageNotFoundError as error:
        raise RuntimeError(f"Package '{package_name}' not found: {error}") from error
    files = [os.path.join(root, name) for root, _, names in os.walk(share) for name in names]
    found = [path for path in files if os.path.basename(path) == file_name]
    where = f"in the share directory of package '{package_name}'"
    if not found:
        others = {os.path.basename(path) for path in files if path.endswith('launch.py')}
        raise RuntimeError(
            f"file '{file_name}' was not found {where} which is at '{share}' "
            f'(launch files there: {", ".join(sorted(others)) or "none"})'
        )
    if len(found) > 1:
        raise RuntimeError(f"file '{file_name}' was found more than once {where}: {found}")
    return found[0]


def _parse_launch_arguments(words: list[str]) -> dict[str, str]:
    """`name:=value` words; for duplicates the last one wins."""
    parsed = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not name or not separator or not value:
            raise RuntimeError(
                f"malformed launch argument '{word}', expected format '<name>:=<value>'"
            )
        parsed[name] = value
    return parsed


def _print_arguments(arguments: list) -> None:
    """Name, description (with choices) and default of each argument."""
    print("Arguments (pass arguments as '<name>:=<value>'):")
    for argument in arguments:
        star = '*' if argument.is_conditional else ''
        print(f"\n    '{argument.name}':{star}\n        {argument.description}")
        if argument.default_value is not None:
            default = launch.utilities.describe(argument.default_value)
            print(f'        (default: {default})')
    if not arguments:
        print('\n  No arguments.')
    elif any(argument.is_conditional for argument in arguments):
        print('\n* argument(s) which are only used if specific conditions occur')


class LaunchCommand:
    """Run a launch file."""

    NAME = 'launch'

    def add_arguments(self, parser, cli_name: str) -> None:
        add = parser.add_argument
        add(
            *('-n', '--noninteractive'),
            action='store_true',
            default=not sys.stdin.isatty(),
            help='there is no terminal that sends ctrl-c to the processes too: launch does it',
        )
        for short, name, text in (
            ('-d', '--debug', 'show what the launch system does'),
            ('-s', '--show-args', 'show the arguments of the launch file instead of launching it'),
            ('-a', '--show-all-subprocesses-output', 'show and log all output of all processes'),
        ):
            add(short, name, action='store_true', help=text)
        add('package_name', help='name of a package, or path of a launch file')
        add('launch_file_name', nargs='?', help='name of a launch file of the package')
        add(
            'launch_arguments',
            nargs='*',
            help="arguments of the launch file: '<name>:=<value>' (the last one of a name wins)",
        )

    def main(self, *, parser, args) -> int:
        words = list(args.launch_arguments)
        if os.path.isfile(args.package_name):
            path = args.package_name
            if args.launch_file_name is not None:
                words.insert(0, args.launch_file_name)
        elif args.launch_file_name is None and os.sep in args.package_name:
            raise RuntimeError(f"launch file '{args.package_name}' does not exist")
        else:
            path = _find(args.package_name, args.launch_file_name)
        if args.show_args:
            description = get_launch_description_from_python_launch_file(path)
            _print_arguments(description.get_launch_arguments())
            return 0
        if args.show_all_subprocesses_output:
            os.environ['OVERRIDE_LAUNCH_PROCESS_OUTPUT'] = 'both'
        arguments = _parse_launch_arguments(words)
        service = launch.LaunchService(
            argv=words, noninteractive=args.noninteractive, debug=args.debug
        )
        # Included, not taken as it is, so that it knows the location of its file.
        include = IncludeLaunchDescription(
            PythonLaunchDescriptionSource(path), launch_arguments=arguments.items()
        )
        service.include_launch_description(launch.LaunchDescription([include]))
        return service.run()
