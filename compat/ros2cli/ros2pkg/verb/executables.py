# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg executables`."""

import argparse
import os

from ros2pkg.api import get_executable_paths, get_package_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('package_name', nargs='?', help='name of the package (default: all)')
    parser.add_argument('--full-path', action='store_true', help='show full paths')


def main(args: argparse.Namespace) -> None:
    for package in [args.package_name] if args.package_name else get_package_names():
        for path in sorted(get_executable_paths(package)):
            print(path if args.full_path else f'{package} {os.path.basename(path)}')
