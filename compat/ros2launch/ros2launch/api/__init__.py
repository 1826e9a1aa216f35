# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Finding, showing and running launch files."""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import (
    AnyLaunchDescriptionSource,
    get_launch_description_from_any_launch_file,
)

import launch


class MultipleLaunchFilesError(Exception):
    """The package has several files of this name."""

    def __init__(self, message: str, paths: list[str]) -> None:
        super().__init__(message)
        self.paths = paths


def get_launch_file_paths(*, path: str) -> list[str]:
    """All launch files below a directory."""
    return sorted(
        os.path.join(root, name)
        for root, _, names in os.walk(path)
        for name in names
        if name.endswith('launch.py')
    )


def get_share_file_path_from_package(*, package_name: str, file_name: 'str | None') -> str:
    """The one file of that name below the package's share directory.

    Raises PackageNotFoundError, FileNotFoundError (naming the launch files that there are) or
    MultipleLaunchFilesError.
    """
    share = get_package_share_directory(package_name)
    found = [
        os.path.join(root, name)
        for root, _, names in os.walk(share)
        for name in names
        if name == file_name
    ]
    if not found:
        others = sorted({os.path.basename(path) for path in get_launch_file_paths(path=share)})
        raise FileNotFoundError(
            f"file '{file_name}' was not found in the share directory of package "
            f"'{package_name}' which is at '{share}' "
            f'(launch files there: {", ".join(others) or "none"})'
        )
    if len(found) > 1:
        paths = ', '.join(f"'{path}'" for path in found)
        raise MultipleLaunchFilesError(
            f"file '{file_name}' was found more than once in the share directory of package "
            f"'{package_name}': [{paths}]",
            found,
        )
    return found[0]


def parse_launch_arguments(launch_arguments: list[str]) -> list[tuple[str, str]]:
    """`name:=value` words as pairs; for duplicates the last one wins."""
    parsed = {}
    for word in launch_arguments:
        name, separator, value = word.partition(':=')
        if not name or not separator or not value:
            raise RuntimeError(
                f"malformed launch argument '{word}', expected format '<name>:=<value>'"
            )
        parsed[name] = value
    return list(parsed.items())


def print_a_launch_file(*, launch_file_path: str) -> None:
    description = get_launch_description_from_any_launch_file(launch_file_path)
    print(launch.LaunchIntrospector().format_launch_description(description))


def print_arguments_of_launch_description(*, launch_description) -> None:
    """Name, description (with choices) and default of each argument."""
    print("Arguments (pass arguments as '<name>:=<value>'):")
    arguments = launch_description.get_launch_arguments()
    for argument in arguments:
        star = '*' if argument._conditionally_included else ''
        print(f"\n    '{argument.name}':{star}\n        {argument.description}")
        if argument.default_value is not None:
            default = ' + '.join(part.describe() for part in argument.default_value)
            print(f'        (default: {default})')
    if not arguments:
        print('\n  No arguments.')
    elif any(argument._conditionally_included for argument in arguments):
        print('\n* argument(s) which are only used if specific conditions occur')


def print_arguments_of_launch_file(*, launch_file_path: str) -> None:
    print_arguments_of_launch_description(
        launch_description=get_launch_description_from_any_launch_file(launch_file_path)
    )


def launch_a_launch_file(
    *,
    launch_file_path: str,
    launch_file_arguments: list[str],
    noninteractive: bool = False,
    debug: bool = False,
) -> int:
    """Run it until it ends; the return code of LaunchService.run."""
    arguments = parse_launch_arguments(launch_file_arguments)
    service = launch.LaunchService(
        argv=launch_file_arguments, noninteractive=noninteractive, debug=debug
    )
    # Included, not taken as it is, so that it knows the location of its file.
    include = IncludeLaunchDescription(
        AnyLaunchDescriptionSource(launch_file_path), launch_arguments=arguments
    )
    service.include_launch_description(launch.LaunchDescription([include]))
    return service.run()
