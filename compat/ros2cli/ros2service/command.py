# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 service`."""

import argparse
from typing import ClassVar

from ros2cli.command import VerbCommand


class ServiceCommand(VerbCommand):
    """Various service related sub-commands."""

    PACKAGE = 'ros2service'
    VERBS: ClassVar = {
        'call': 'call a service',
        'list': 'output a list of available services',
        'type': "output a service's type",
    }
    NOT_HERE = ('echo', 'find', 'info')

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        parser.add_argument(
            '--include-hidden-services',
            action='store_true',
            help='consider hidden services as well',
        )
        super().add_arguments(parser, cli_name)
