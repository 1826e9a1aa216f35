# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The command `ros2 launch`."""

import os
import sys

from ament_index_python.packages import PackageNotFoundError

from ..api import (
    MultipleLaunchFilesError,
    get_share_file_path_from_package,
    launch_a_launch_file,
    print_a_launch_file,
    print_arguments_of_launch_file,
)


class LaunchCommand:
    """Run a launch file."""

    NAME = 'launch'

    def add_arguments(self, parser, cli_name: str) -> None:
        parser.add_argument(
            '-n',
            '--noninteractive',
            default=not sys.stdin.isatty(),
            action='store_true',
            help='there is no terminal that sends ctrl-c to the processes, too: launch does it',
        )
        parser.add_argument(
            '-d', '--debug', action='store_true', help='show what the launch system does'
        )
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument(
            '-p',
            '--print',
            '--print-description',
            action='store_true',
            help='show what the launch file consists of instead of launching it',
        )
        instead.add_argument(
            '-s',
            '--show-args',
            '--show-arguments',
            action='store_true',
            help='show the arguments of the launch file instead of launching it',
        )
        parser.add_argument(
            '-a',
            '--show-all-subprocesses-output',
            action='store_true',
            help='show and log all output of all processes',
        )
        parser.add_argument(
            '--launch-prefix', help='a command, with its arguments, to put before every executable'
        )
        parser.add_argument(
            '--launch-prefix-filter',
            help='a regular expression: names of the executables that get the prefix',
        )
        parser.add_argument('package_name', help='name of a package, or path of a launch file')
        parser.add_argument(
            'launch_file_name', nargs='?', help='name of a launch file of the package'
        )
        parser.add_argument(
            'launch_arguments',
            nargs='*',
            help="arguments of the launch file: '<name>:=<value>' (the last one of a name wins)",
        )

    def main(self, *, parser, args) -> 'int | str | None':
        if args.launch_prefix is None and args.launch_prefix_filter is not None:
            raise RuntimeError(
                '--launch-prefix must be specified if --launch-prefix-filter is provided'
            )
        words = list(args.launch_arguments)
        if os.path.isfile(args.package_name):
            path = args.package_name
            if args.launch_file_name is not None:
                words.insert(0, args.launch_file_name)
        elif args.launch_file_name is None and os.sep in args.package_name:
            raise RuntimeError(f"launch file '{args.package_name}' does not exist")
        else:
            path = self._find(args.package_name, args.launch_file_name)
        if args.launch_prefix:
            words.append(f'launch-prefix:={args.launch_prefix}')
        if args.launch_prefix_filter:
            words.append(f'launch-prefix-filter:={args.launch_prefix_filter}')
        if args.show_all_subprocesses_output:
            os.environ['OVERRIDE_LAUNCH_PROCESS_OUTPUT'] = 'both'
        if args.print:
            return print_a_launch_file(launch_file_path=path)
        if args.show_args:
            return print_arguments_of_launch_file(launch_file_path=path)
        return launch_a_launch_file(
            launch_file_path=path,
            launch_file_arguments=words,
            noninteractive=args.noninteractive,
            debug=args.debug,
        )

    @staticmethod
    def _find(package_name: str, file_name: 'str | None') -> str:
        try:
            return get_share_file_path_from_package(package_name=package_name, file_name=file_name)
        except PackageNotFoundError as error:
            raise RuntimeError(f"Package '{package_name}' not found: {error}") from error
        except (FileNotFoundError, MultipleLaunchFilesError) as error:
            raise RuntimeError(str(error)) from error
