# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic`."""

import argparse
from typing import ClassVar

from ros2cli.command import VerbCommand


class TopicCommand(VerbCommand):
    """Various topic related sub-commands."""

    PACKAGE = 'ros2topic'
    VERBS: ClassVar = {
        'bw': 'display bandwidth used by topic',
        'delay': 'display delay of topic from timestamp in header',
        'echo': 'output messages from a topic',
        'hz': 'print the average publishing rate to screen',
        'info': 'print information about a topic',
        'list': 'output a list of available topics',
        'pub': 'publish a message to a topic',
        'type': "print a topic's type",
    }
    NOT_HERE = ('find',)

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str) -> None:
        parser.add_argument(
            '--include-hidden-topics', action='store_true', help='consider hidden topics as well'
        )
        super().add_arguments(parser, cli_name)
