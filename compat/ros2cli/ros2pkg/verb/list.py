# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg list`."""

import argparse

from ros2pkg.api import get_package_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def main(args: argparse.Namespace) -> None:
    print(*get_package_names(), sep='\n')
