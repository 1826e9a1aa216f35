# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 interface list`."""

import argparse

from ros2interface.api import KINDS, interfaces


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('-m', '--only-msgs', action='store_true', help='only messages')
    parser.add_argument('-s', '--only-srvs', action='store_true', help='only services')
    parser.add_argument('-a', '--only-actions', action='store_true', help='only actions')


def main(args: argparse.Namespace) -> None:
    wanted = [kind for kind in KINDS if getattr(args, f'only_{kind}s')] or list(KINDS)
    for kind in wanted:
        print(f'{KINDS[kind]}:')
        for name in interfaces(kind):
            print(f'    {name}')
