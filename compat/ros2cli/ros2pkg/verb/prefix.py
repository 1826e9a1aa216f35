# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg prefix`."""

import argparse
import os

from ros2pkg.api import require_prefix


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('package_name', help='name of the package')
    parser.add_argument('--share', action='store_true', help='show the share directory')


def main(args: argparse.Namespace) -> str | None:
    try:
        prefix = require_prefix(args.package_name)
    except RuntimeError as error:
        # The real verb's words first, for scripts that look for them.
        return f'Package not found: {error}'
    print(os.path.join(prefix, 'share', args.package_name) if args.share else prefix)
    return None
